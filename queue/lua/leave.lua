-- Gives a place up for ever, unless it holds a session (end.lua does that).
-- KEYS 1 state  2 order  3 collected  4 departed  5 left  6 offered
--      7 sessions  8 quit  9 pending  10 numbers  11 active
-- ARGV 1 clock (us) or ''  2 place id
-- Returns 'left', 'active' (end the session first: its slot is counted still),
-- 'final' (nothing to give up any more) or 'unknown'. Idempotent, but for who
-- left the lobby: after the draw nothing is known of them.
-- Cost O(log N).
local place, now = ARGV[2], clock()

if number(KEYS[1], 'drawn') == 0 then
  local lobby = now < number(KEYS[1], 'close') * 1000
  local known = redis.call('SISMEMBER', KEYS[3], place) == 1 or redis.call('ZSCORE', KEYS[9], place)
  if not known then return redis.call('SISMEMBER', KEYS[8], place) == 1 and 'left' or 'unknown' end
  redis.call('SADD', KEYS[8], place)
  -- While the draw runs, what it reads may not change: its end applies this.
  if lobby then redis.call('SREM', KEYS[3], place) end
  return 'left'
end

local rank = redis.call('ZRANK', KEYS[2], place)
if not rank then return 'unknown' end
if redis.call('ZREM', KEYS[6], place) == 1 then
  redis.call('HSET', KEYS[7], place, 'left') -- the offer's slot is free at once: no token was issued
  return 'left'
end
local session = redis.call('HGET', KEYS[7], place)
if session and redis.call('ZSCORE', KEYS[11], place) then return 'active' end
if session or redis.call('HEXISTS', KEYS[10], place) == 1 then return 'final' end
if redis.call('SETBIT', KEYS[4], rank, 1) == 0 then
  redis.call('HINCRBY', KEYS[1], 'gone', 1)
  redis.call('RPUSH', KEYS[5], rank)
end
return 'left'
