-- The entries of a sale's ledger that are not archived yet.
-- KEYS 1 chain  2 ledger
-- ARGV 1 (clock, unused)  2 most entries
-- Returns {event up to which all are in those entries, or '' if there are more of
-- them, entries}.
-- Cost O(entries).
local c = redis.call('HMGET', KEYS[1], 'seq', 'first', 'archived', 'event')
if not c[1] then return { '', {} } end
local from = math.max(tonumber(c[3]) + 1, tonumber(c[2])) - tonumber(c[2])
local entries = redis.call('LRANGE', KEYS[2], from, from + tonumber(ARGV[2]) - 1)
local all = tonumber(c[2]) + from + #entries > tonumber(c[1])
return { all and c[4] or '', entries }
