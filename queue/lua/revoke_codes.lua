-- Revokes a batch of codes, or one code: nobody comes in by them any more; who did,
-- stays.
-- KEYS 1 codes  2 batches
-- ARGV 1 (clock, unused)  2 batch or ''  3 the code's HMAC or ''
-- Returns 1, or 0 if there is none.
-- Cost O(1).
local key, field = KEYS[2], ARGV[2]
if field == '' then key, field = KEYS[1], ARGV[3] end
local kept = redis.call('HGET', key, field)
if not kept then return 0 end
if string.sub(kept, -8) ~= ' revoked' then redis.call('HSET', key, field, kept .. ' revoked') end
return 1
