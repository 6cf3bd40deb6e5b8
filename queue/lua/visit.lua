-- Gives a visitor a place: who has none, or whose place moves to another lane.
-- KEYS 1 visitors
-- ARGV 1 (clock, unused)  2 visitor  3 place  4 the place that it is instead of,
--      or ''
-- Returns the place that the visitor has.
-- Cost O(1).
local has = redis.call('HGET', KEYS[1], ARGV[2])
if has and has ~= ARGV[4] then return has end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return ARGV[3]
