-- Takes back places off the comebacks that have gone again from this edge, and
-- are with no other one. Their right to return runs on. One that was put back
-- after a loss stands nowhere else, and stays.
-- KEYS 1 comebacks  2 keepers  3 edges  4 order
-- ARGV 1 clock (us) or ''  2 edge  3.. places
-- Returns how many. Cost O(log N + edges) a place.
local edges = redis.call('ZRANGEBYSCORE', KEYS[3], math.floor(clock() / 1000) - EDGE_KEPT, '+inf')
local n = 0
for i = 3, #ARGV do
  local place, elsewhere = ARGV[i], false
  redis.call('HDEL', KEYS[2], place .. ' ' .. ARGV[2])
  for _, edge in ipairs(edges) do
    elsewhere = elsewhere or redis.call('HEXISTS', KEYS[2], place .. ' ' .. edge) == 1
  end
  if not elsewhere and redis.call('ZSCORE', KEYS[4], place) then n = n + redis.call('ZREM', KEYS[1], place) end
end
return n
