-- Adds codes to a batch, made on the way.
-- KEYS 1 codes  2 batches  3 state  4 uses
-- ARGV 1 clock (us) or ''  2 batch  3 what is kept of it: lane, uses of each code,
--      from and until (ms, 0 for always), more for people  4.. HMACs of the codes
-- Returns how many were new, or the error SALE. A code that is there already stays
-- in its batch.
-- Cost O(codes).
if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('SALE not published') end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
local new = 0
for i = 4, #ARGV do new = new + redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[2]) end
redis.call('HINCRBY', KEYS[4], 'made ' .. ARGV[2], new)
return new
