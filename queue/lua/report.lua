-- Keeps what an edge says of itself, and forgets edges that were silent for long.
-- KEYS 1 reports
-- ARGV 1 clock (us) or ''  2 edge  3 report, JSON, or '' for one that goes
-- Returns 1.
-- Cost O(edges), once a second each: some µs.
local ms = math.floor(clock() / 1000)
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
  return 1
end
redis.call('HSET', KEYS[1], ARGV[2], text(ms) .. ' ' .. ARGV[3])
if redis.call('HLEN', KEYS[1]) > 100 then -- more than anybody runs: look for dead ones
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if ms - tonumber(string.match(all[i + 1], '^%d+')) > 600000 then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return 1
