-- Posts something on a sale's board, and tells the public.
-- KEYS 1 state  2 board  3 events
-- ARGV 1 clock (us) or ''  2 what is posted: message, or terms: and the version
--      3 its text  4 1 if it stays for ever, and a second one changes nothing
--      5 the number of what it replaces, 0 for nothing, or '' for whatever is there
--      6 kind of the event  7 its data, JSON
-- Returns {1, its number}, or {0, the number of what is there} and changes
-- nothing; or the error SALE.
-- Cost O(1).
if not redis.call('HGET', KEYS[1], 'version') then return redis.error_reply('SALE not published') end
local there = tonumber(string.match(redis.call('HGET', KEYS[2], ARGV[2]) or '', '^%d+')) or 0
if ARGV[4] == '1' and there > 0 or ARGV[5] ~= '' and tonumber(ARGV[5]) ~= there then return { 0, there } end
local now = clock()
local number = post(KEYS[1], KEYS[2], ARGV[2], ARGV[3], now)
tell(KEYS[3], now, ARGV[6], ARGV[7])
return { 1, number }
