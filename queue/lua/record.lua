-- Keeps a sample of how a sale stands, for charts: one a second at most.
-- KEYS 1 history
-- ARGV 1 clock (us) or ''  2 sample, JSON  3 samples kept, about
-- Returns 1, or 0 if there is one of this second, or of a later one, already.
-- Cost O(1): 5 us.
local second = math.floor(clock() / 1000000)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '^%d+')) >= second then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], text(second) .. '-0', 's', ARGV[2])
return 1
