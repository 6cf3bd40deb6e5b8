-- Lets a new place into a sale that is a safety net, without a line: join, offer
-- and claim in one. Only while there is room for everybody who waits and for one
-- more, so that nobody gets in before somebody who came earlier and has to wait.
--
-- Who waits is in the lines, on other servers perhaps. The controller says with
-- each tick how many they were (waits.lua); whoever is sent to the line here is
-- remembered for 10 s, which is longer than a join takes, or until they are
-- offered. So everybody is counted from the moment on in which they are told to
-- wait, some of them twice for a moment.
-- KEYS 1 state  2 limits  3 offered  4 active  5 numbers  6 sessions
--      7 standing  8 passed  9 stock  10 sids  11 kept  12 passes
-- ARGV 1 clock (us) or ''  2 place  3 session id  4 margin (s): as of claim
--      5 tick (ms)
-- Returns {session text as of claim, score of an arrival now}, 'wait' (it has to
-- join the line) or 'known' (it had its turn); or the errors SALE and ENDED.
-- Cost O(log N).
local place, margin = ARGV[2], tonumber(ARGV[4])
local now = clock()
local ms = math.floor(now / 1000)
local s = read_sale(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[9])
if not s.version then return redis.error_reply('SALE not published') end
if ms >= tonumber(s['end']) then return redis.error_reply('ENDED the sale is over') end

-- A net stays up for months: what became of a place is forgotten 10 min after the
-- end of its session, a few with each call.
local FORGET = 600000
for _, over in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', ms - FORGET, 'LIMIT', 0, 4)) do
  if redis.call('ZSCORE', KEYS[4], over) then
    redis.call('ZADD', KEYS[8], ms, over) -- its slot is counted still
  else
    redis.call('ZREM', KEYS[8], over)
    redis.call('HDEL', KEYS[5], over)
    redis.call('HDEL', KEYS[10], string.match(redis.call('HGET', KEYS[6], over) or '', '^%S+') or '')
    redis.call('HDEL', KEYS[6], over)
    redis.call('HDEL', KEYS[11], over)
    redis.call('HDEL', KEYS[12], over)
  end
end

if redis.call('HEXISTS', KEYS[5], place) == 1 then return 'known' end
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', ms - 10000)
local room_, bucket = room(s, ms, tonumber(ARGV[5]))
local waits = tonumber(redis.call('HGET', KEYS[1], 'waits') or '1e15') -- nobody has looked yet
if s.run_id ~= run_id() or s.mode == 'drain' or room_ <= waits + redis.call('ZCARD', KEYS[7]) then
  redis.call('ZADD', KEYS[7], ms, place)
  return 'wait'
end

local seconds = math.floor(ms / 1000)
local last = seconds + tonumber(s.live.session)
local exp = math.min(seconds + tonumber(s.life), last - margin)
local session = string.format('%s %.0f %.0f %.0f open', ARGV[3], seconds, exp, last)
redis.call('ZADD', KEYS[4], (exp + margin) * 1000, place)
redis.call('HSET', KEYS[5], place, '0 beside')
redis.call('HSET', KEYS[6], place, session)
redis.call('HSET', KEYS[10], ARGV[3], place)
redis.call('ZADD', KEYS[8], (last + margin) * 1000, place)
s.active = s.active + 1
redis.call('HSET', KEYS[1], 'bucket', s.mode == 'pass' and 0 or text(bucket - 60000), 'bucket_at', ms,
  'max_in_use', math.max(s.offered + s.active, tonumber(s.max_in_use or '0')), prove(s, now))
redis.call('HINCRBY', KEYS[1], 'passed', 1)
return { session, text(arrival(now, tonumber(s.close), nil)) }
