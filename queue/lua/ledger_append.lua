-- Appends entries to a sale's ledger, if its head is the one that they follow:
-- any number of controllers may try, one does. What they were made of leaves the
-- stream in the same step, so it is in the ledger once.
-- KEYS 1 chain  2 ledger  3 events
-- ARGV 1 (clock, unused)  2 hash of the head that they follow, or '' if there is
--      no ledger yet  3 least id of the events that stay, or ''  4 how many entries
--      5.. entries, then fields of the chain and their values
-- Returns 1, or 0 if the head is another one.
-- Cost O(entries + events).
if (redis.call('HGET', KEYS[1], 'hash') or '') ~= ARGV[2] then return 0 end
local last = 4 + tonumber(ARGV[4])
for i = 5, last do redis.call('RPUSH', KEYS[2], ARGV[i]) end
for i = last + 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSETNX', KEYS[1], 'first', 1)
redis.call('HSETNX', KEYS[1], 'archived', 0)
if ARGV[3] ~= '' then redis.call('XTRIM', KEYS[3], 'MINID', ARGV[3]) end
return 1
