-- Reads what the edges last said of themselves.
-- KEYS 1 reports
-- ARGV 1 clock (us) or ''
-- Returns {now (us), edge, its report as report.lua keeps it, and so on}.
-- Cost O(edges).
local all = redis.call('HGETALL', KEYS[1])
table.insert(all, 1, text(clock()))
return all
