-- Lets a visitor whose place is over have another.
-- KEYS 1 visitors
-- ARGV 1 (clock, unused)  2 visitor  3 the place that is over
-- Returns 1 if it was theirs, else 0.
-- Cost O(1).
if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[2])
