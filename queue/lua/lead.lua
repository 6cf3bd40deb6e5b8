-- Takes or keeps the lease of the controller that ticks a sale.
-- KEYS 1 leader
-- ARGV 1 (clock, unused)  2 controller  3 lease (ms)
-- Returns 1 if the controller leads.
-- Cost O(1).
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
