-- Keeps what a sale has left, as its booking core counted it; the newest count
-- wins. The core's word of how many people the stock supports counts in the
-- stock rule of room.
-- KEYS 1 stock  2 state  3 active  4 bought
-- ARGV 1 clock (us) or ''  2 document  3 when it was counted (us)  4 free
--      5 held units  6 basket  7 conversion  8 baskets there are  9 how many
--      people without a basket it supports
-- Returns 1 if kept, 0 if a newer one is there or nothing of the sale is.
-- Cost O(active) where up to 20,000 are, 0.3 us each; else O(1).
local now, at, known = clock(), tonumber(ARGV[3]), number(KEYS[1], 'at')
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
-- One of the future was counted before the clock was set back.
if known > at and known < now + 5000000 then return 0 end
local places, friends = number(KEYS[2], 'last_offer'), number(KEYS[2], 'friends')
local done = buyers_inside(KEYS[3], KEYS[4])
-- Baskets are counted in places, slots in people.
local engaged = math.floor((tonumber(ARGV[8]) + done) * (places + friends) / math.max(1, places))
redis.call('HSET', KEYS[1], 'doc', ARGV[2], 'at', ARGV[3], 'free', ARGV[4], 'held', ARGV[5],
  'basket', ARGV[6], 'conversion', ARGV[7], 'supports', ARGV[9], 'engaged', engaged)
return 1
