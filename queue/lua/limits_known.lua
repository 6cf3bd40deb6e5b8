-- Says what of the changes of a sale's limits this server knows.
-- KEYS 1 state  2 limits
-- ARGV 1 clock, unused
-- Returns {run id, 1 if they were compared with the book in this life of the server,
-- version, id of the change that made it or '', the version up to which nothing is
-- missing}, or the error SALE.
-- Cost O(1).
local s = redis.call('HMGET', KEYS[1], 'version', 'limits_run', 'limits_told')
if not s[1] then return redis.error_reply('SALE not published') end
local l = redis.call('HMGET', KEYS[2], 'version', 'change', 'apart')
local version = l[1] or '0'
return { run_id(), s[2] == run_id() and 1 or 0, version, l[2] or '', l[3] or s[3] or version }
