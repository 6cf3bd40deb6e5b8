-- Publishes the root over a closed lobby's entrants, before anybody can know the
-- order: from here on nobody slips in or out. A root that differs from one
-- published before, which only a loss of the store can bring about, is published
-- beside it.
-- KEYS 1 draw  2 events
-- ARGV 1 clock (us) or ''  2 root  3 number of entrants
-- Returns 1.
-- Cost O(1).
local before = redis.call('HGET', KEYS[1], 'root')
if before == ARGV[2] then return 1 end
if before then
  redis.call('HSET', KEYS[1], 'root_before', before)
  redis.call('HDEL', KEYS[1], 'beacon') -- its value was known before this root
end
tell(KEYS[2], clock(), 'draw-bound', { root = ARGV[2], entrants = tonumber(ARGV[3]), root_before = before or nil })
redis.call('HSET', KEYS[1], 'root', ARGV[2], 'count', ARGV[3], 'root_at', math.floor(clock() / 1000))
return 1
