-- Counts uses of codes that the server may have lost. Those it knows are left alone.
-- KEYS 1 redeemed  2 uses  3 unkept
-- ARGV 1 clock, unused  2 1 if they are kept for good  3.. of each its place, the
--      code's HMAC and its batch
-- Returns how many were new.
-- Cost O(uses): 3 us each.
local new = 0
for i = 3, #ARGV, 3 do
  local place, code, batch = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HSETNX', KEYS[1], place, code) == 1 then
    new = new + 1
    redis.call('HINCRBY', KEYS[2], code, 1)
    redis.call('HINCRBY', KEYS[2], 'batch ' .. batch, 1)
    if ARGV[2] ~= '1' then redis.call('HSET', KEYS[3], place, code .. ' ' .. batch) end
  end
end
return new
