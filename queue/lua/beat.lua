-- A gate says that it lives and how far it has read the ended sessions.
-- KEYS 1 gates seen (sorted set by ms)  2 gates acknowledged (hash)
-- ARGV 1 clock (us) or ''  2 gate  3 id of the last entry it refuses
-- Returns 1. Forgets gates that have been silent for an hour.
-- Cost O(log gates).
local ms = math.floor(clock() / 1000)
redis.call('ZADD', KEYS[1], ms, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
for _, gate in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms - 3600000, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[1], gate)
  redis.call('HDEL', KEYS[2], gate)
end
return 1
