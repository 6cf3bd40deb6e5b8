-- Takes back places off the comebacks: they have gone again. Their right to
-- return runs on.
-- KEYS 1 comebacks
-- ARGV 1 (clock, unused)  2.. places
-- Returns how many. Cost O(log N) a place.
local n = 0
for i = 2, #ARGV do n = n + redis.call('ZREM', KEYS[1], ARGV[i]) end
return n
