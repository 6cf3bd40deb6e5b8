-- Counts one more try of somebody who may guess. A right one is taken back (DECR).
--
-- KEYS  1 counter of whoever it is
-- ARGV  1 most wrong ones at a time  2 ms until they are forgotten
-- Returns 0, or the ms to wait where there were too many: then it is not counted
-- Cost: O(1)
local n = tonumber(redis.call('GET', KEYS[1]) or 0)
if n >= tonumber(ARGV[1]) then
    return math.max(1, redis.call('PTTL', KEYS[1]))
end
redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
