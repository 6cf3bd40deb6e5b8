-- Notes up to where a sale's ledger is archived, and keeps the newest of that.
-- KEYS 1 chain  2 ledger
-- ARGV 1 (clock, unused)  2 sequence number of the last entry that is archived
--      3 how many entries are kept at least
-- Returns 1.
-- Cost O(entries taken off).
local c = redis.call('HMGET', KEYS[1], 'seq', 'first', 'archived')
if not c[1] then return 1 end
local archived = math.max(tonumber(c[3]), tonumber(ARGV[2]))
local off = math.min(archived + 1, tonumber(c[1]) + 1 - tonumber(ARGV[3])) - tonumber(c[2])
redis.call('HSET', KEYS[1], 'archived', archived)
if off > 0 then
  redis.call('LTRIM', KEYS[2], off, -1)
  redis.call('HINCRBY', KEYS[1], 'first', off)
end
return 1
