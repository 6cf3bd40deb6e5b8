-- Takes a place out of its line for ever.
-- KEYS 1 line  2 order  3 collected  4 pending  5 departed  6 left  7 quit
--      8 comebacks  9 late  10 edges
-- ARGV 1 clock (us) or ''  2 place id  3 what the names of presence bitmaps
--      begin with
-- Returns 'left', 'reached' (it may have been offered meanwhile: drop it again)
-- or 'unknown', or the error SALE or SETTLING. Idempotent.
-- Cost O(log N + edges).
local refused = unsettled(KEYS[1])
if refused then return refused end
local place, now = ARGV[2], clock()

-- Before the draw, too: who came by a rule, and then again, waits already.
local beside = redis.call('ZREM', KEYS[8], place) + redis.call('ZREM', KEYS[9], place)
if beside > 0 then redis.call('HINCRBY', KEYS[1], 'late_seq', 1) end
if number(KEYS[1], 'drawn') == 0 and beside == 0 then
  local lobby = now < number(KEYS[1], 'close') * 1000
  local known = redis.call('SISMEMBER', KEYS[3], place) == 1 or redis.call('ZSCORE', KEYS[4], place)
  if not known then return redis.call('SISMEMBER', KEYS[7], place) == 1 and 'left' or 'unknown' end
  redis.call('SADD', KEYS[7], place)
  -- While the draw runs, what it reads may not change: its end applies this.
  if lobby then redis.call('SREM', KEYS[3], place) end
  return 'left'
end

local rank = redis.call('ZRANK', KEYS[2], place)
if not rank then
  if beside == 0 then return redis.call('SISMEMBER', KEYS[7], place) == 1 and 'left' or 'unknown' end
  redis.call('SADD', KEYS[7], place) -- its ticket is of an older epoch and would bring it back
  return 'reached'
end
for _, presence in ipairs(presences(KEYS[10], ARGV[3], math.floor(now / 1000))) do
  redis.call('SETBIT', presence, rank, 0)
end
local was = redis.call('SETBIT', KEYS[5], rank, 1)
if rank < number(KEYS[1], 'cursor') then return 'reached' end
if was == 0 then
  redis.call('HINCRBY', KEYS[1], 'gone', 1)
  redis.call('HINCRBY', KEYS[1], 'departures', 1)
  redis.call('RPUSH', KEYS[6], rank)
end
return 'left'
