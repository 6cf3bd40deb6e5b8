-- Changes what an SRE may change, if the values are still those they saw.
-- KEYS 1 limits
-- ARGV 1 (clock, unused)  2 expected cap or ''  3 expected rate or ''
--      4 cap or ''  5 rate or ''  6 paused 0 or 1 or ''  7 reason
-- Returns 1, or 0 if an expected value is another one by now, or the error
-- SALE (not published).
-- Cost O(1).
local l = redis.call('HMGET', KEYS[1], 'cap', 'rate')
if not l[1] then return redis.error_reply('SALE not published') end
if ARGV[2] ~= '' and ARGV[2] ~= l[1] then return 0 end
if ARGV[3] ~= '' and ARGV[3] ~= l[2] then return 0 end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'cap', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'rate', ARGV[5]) end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'paused', ARGV[6], 'reason', ARGV[6] == '1' and ARGV[7] or '')
end
return 1
