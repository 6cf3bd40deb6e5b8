-- Begins a tick: takes or keeps the lease of the controller that ticks a sale,
-- ends what has run out and says how many may be offered.
-- KEYS 1 leader  2 state  3 limits  4 offered  5 active  6 missed  7 parties
-- ARGV 1 clock (us) or ''  2 controller  3 lease (ms)  4 tick (ms)  5 most
--      expiries of each kind in this call  6 token life and margin if a loss
--      of the server is found here (ms): how long what it forgot may be in use
-- Returns {1 if the controller leads, room, 1 if another call at once has work, 1
-- if there are parties}, or the error SALE.
-- Cost O(expiries * log N).
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[2] then return { 0, 0, 0, 0 } end
local s = redis.call('HMGET', KEYS[2], 'version', 'run_id', 'life')
if not s[1] then return redis.error_reply('SALE not published') end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local now = clock()
local ms, most = math.floor(now / 1000), tonumber(ARGV[5])

-- A server that started anew may have lost its last second: offers and claims
-- of it are counted as ghosts, and as nobody knows which sessions were renewed
-- in it, each is counted for as long as a token of it may live.
local here = run_id()
if s[2] ~= here then
  local until_ = ms + tonumber(s[3]) * 1000 + tonumber(ARGV[6])
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. ms, '+inf')) do
    redis.call('ZADD', KEYS[5], 'GT', until_, place)
  end
  local rate = number(KEYS[3], 'rate')
  local lost = math.ceil(1000 * rate / 60000) + math.ceil(2 * tonumber(ARGV[4]) * rate / 60000) + 1
    + math.max(0, number(KEYS[2], 'largest') - 1) -- a party is offered on credit
  redis.call('HSET', KEYS[2], 'run_id', here, 'ghosts', lost, 'ghosts_until', until_, 'last_offer', text(number(KEYS[2], 'last_offer') + lost))
end

local offers_over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ms, 'LIMIT', 0, most)
local missed = 0
for _, slot in ipairs(offers_over) do
  redis.call('ZREM', KEYS[4], slot)
  if not string.find(slot, '#', 1, true) then
    redis.call('ZADD', KEYS[6], ms, slot)
    missed = missed + 1
  end
end
if missed > 0 then redis.call('HINCRBY', KEYS[2], 'missed', missed) end
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', ms - 3600000)
local sessions_over = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', ms, 'LIMIT', 0, most)
for _, place in ipairs(sessions_over) do redis.call('ZREM', KEYS[5], place) end

local free = room(ms, tonumber(ARGV[4]), KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return { 1, free, (#offers_over == most or #sessions_over == most) and 1 or 0, redis.call('EXISTS', KEYS[7]) }
