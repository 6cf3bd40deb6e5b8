-- Says how many wait in the lines of a safety net, for pass.lua.
-- KEYS 1 leader  2 state
-- ARGV 1 (clock, unused)  2 controller  3 how many wait
-- Returns 1, or 0 if another controller ticks by now.
-- Cost O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[2] or redis.call('HEXISTS', KEYS[2], 'version') == 0 then return 0 end
redis.call('HSET', KEYS[2], 'waits', ARGV[3])
return 1
