-- Tells the gates that a session has ended: appends it to the list that they
-- read, and drops what no token can need any more. Entries are named by the
-- server's time, so that is what their age goes by.
-- KEYS 1 ended sessions
-- ARGV 1 clock (us) or '', unused  2 session id  3 when its last token expires (s)
--      4 sale  5 how long entries are kept (ms)
-- Returns the id of the entry.
-- Cost O(1).
local now = redis.call('TIME')
return redis.call('XADD', KEYS[1], 'MINID', '~', text(tonumber(now[1]) * 1000 - tonumber(ARGV[5])), '*', 'sid', ARGV[2], 'exp', ARGV[3], 'sale', ARGV[4])
