-- An edge says which of those who go before everybody are here with it.
-- KEYS 1 keepers
-- ARGV 1 (clock, unused)  2 edge  3.. places
-- Returns how many were not known. Cost O(1) a place.
local n = 0
for i = 3, #ARGV do n = n + redis.call('HSET', KEYS[1], ARGV[i] .. ' ' .. ARGV[2], 1) end
return n
