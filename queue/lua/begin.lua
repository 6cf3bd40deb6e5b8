-- Begins a tick: takes or keeps the lease of the controller that ticks a sale,
-- ends what has run out and says how many may be offered. If nobody may, that is
-- all of the tick that concerns the capacity, and the sale is described.
-- KEYS 1 leader  2 state  3 limits  4 offered  5 active  6 missed  7 parties
--      8 pace  9 stock
-- ARGV 1 clock (us) or ''  2 controller  3 lease (ms)  4 tick (ms)  5 most
--      expiries of each kind in this call  6 token life and margin if a loss
--      of the server is found here (ms): how long what it forgot may be in use
--      7 and 8 between which times (us) the clock is if it has not jumped, or ''
--      9 1 if there is a book of changes that limits are compared with
-- Returns {leads, clock (us), room, 1 if another call at once has work, 1 if there
-- are parties, sale as describe tells if room is 0, else {}, 1 if the limits are to
-- be compared with the book first}, or the error SALE.
-- leads is 1, 0 if another controller does (room is how long its lease runs then,
-- in ms), and -1 if the clock is not between those times: then nothing was done.
-- Cost O(expiries * log N).
local now = clock()
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[2] then return { 0, text(now), redis.call('PTTL', KEYS[1]), 0, 0, {}, 0 } end
if ARGV[7] ~= '' and (now < tonumber(ARGV[7]) or now > tonumber(ARGV[8])) then return { -1, text(now), 0, 0, 0, {}, 0 } end
local s = read_sale(KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9])
if not s.version then return redis.error_reply('SALE not published') end
if not leader then s.term = redis.call('HINCRBY', KEYS[2], 'term', 1) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local ms, most = math.floor(now / 1000), tonumber(ARGV[5])
local due = turn_time(s.live, ms)

-- A server that started anew may have lost its last second: offers and claims
-- of it are counted as ghosts, and as nobody knows which sessions were renewed
-- in it, each is counted for as long as a token of it may live.
local here = run_id()
if s.run_id ~= here then
  local longest = tonumber(s.life) * 1000 + tonumber(ARGV[6])
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. due, '+inf')) do
    redis.call('ZADD', KEYS[5], 'GT', due + longest, place)
  end
  local until_ = ms + longest
  local rate = tonumber(s.rate or '0')
  local lost = math.ceil(1000 * rate / 60000) + math.ceil(2 * tonumber(ARGV[4]) * rate / 60000) + 1
    + math.max(0, number(KEYS[2], 'largest') - 1) -- a party is offered on credit
  s.run_id, s.ghosts, s.ghosts_until, s.last_offer = here, text(lost), text(until_), text(tonumber(s.last_offer or '0') + lost)
  s.found_at = text(ms)
  redis.call('HSET', KEYS[2], 'run_id', here, 'found_at', ms, 'ghosts', lost, 'ghosts_until', until_, 'last_offer', s.last_offer)
end

-- Without a book, what edges have put back in the first second is all there is.
if s.limits_run ~= here and ARGV[9] ~= '1' and ms - tonumber(s.found_at or '0') >= RECALL then
  s.limits_run = here
  redis.call('HSET', KEYS[2], 'limits_run', here)
end

local missed = 0
local offers_over = s.offered > 0 and redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', due, 'LIMIT', 0, most) or {}
for _, slot in ipairs(offers_over) do
  redis.call('ZREM', KEYS[4], slot)
  if not string.find(slot, '#', 1, true) then
    redis.call('ZADD', KEYS[6], ms, slot)
    missed = missed + 1
  end
end
if missed > 0 then
  s.missed = redis.call('HINCRBY', KEYS[2], 'missed', missed)
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', ms - 3600000)
end
local sessions_over = s.active > 0 and redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', due, 'LIMIT', 0, most) or {}
for _, place in ipairs(sessions_over) do redis.call('ZREM', KEYS[5], place) end
s.offered, s.active = s.offered - #offers_over, s.active - #sessions_over
local more = (#offers_over == most or #sessions_over == most) and 1 or 0

local free, bucket = room(s, ms, tonumber(ARGV[4]))
if free > 0 then return { 1, text(now), free, more, redis.call('EXISTS', KEYS[7]), {}, 0 } end
keep_tick(s, now, bucket, 0, KEYS[2], KEYS[8])
return { 1, text(now), 0, more, 0, describe(s, now, KEYS[5], KEYS[8]), s.limits_run ~= here and 1 or 0 }
