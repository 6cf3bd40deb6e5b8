-- Reveals a draw's seed, once its root has bound the entrants.
-- KEYS 1 draw  2 events
-- ARGV 1 clock (us) or ''  2 seed
-- Returns 1, or 0 if it was revealed before.
-- Cost O(1).
if redis.call('HGET', KEYS[1], 'seed') == ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'seed', ARGV[2])
local d = redis.call('HMGET', KEYS[1], 'root', 'beacon')
tell(KEYS[2], clock(), 'drawn', { seed = ARGV[2], root = d[1] or nil, beacon = d[2] or nil })
return 1
