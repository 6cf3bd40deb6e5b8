-- Keeps what the controller measured of a line's pace, for every edge and the
-- next controller.
-- KEYS 1 leader  2 state
-- ARGV 1 clock (us) or '', unused  2 controller  3 gauge
-- Returns 1, or the error FENCED.
-- Cost O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('FENCED another controller ticks') end
redis.call('HSET', KEYS[2], 'gauge', ARGV[3])
return 1
