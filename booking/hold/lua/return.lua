-- Puts units of a canceled order back on sale, or into the pool of the returns list. The units come from Postgres, which
-- has nobody who owns them. Safe to repeat, however late: a unit of an attempt is
-- given back once, and sell.lua does not mark it any more. One that is not marked as
-- sold yet is in the hold that was paid, and free when that ends.
--
-- Beside built lies built:returned, a set: "attempt:unit" of each unit that was
-- given back. Its size tells rebuild.lua that what was read before is out of date.
--
-- KEYS  1 built  2 taken  3 sold … see clock.lua
-- ARGV  1 now  2 attempt  3 its place of the line, which has so many fewer where that is
--       limited (see claim.lua)  4 … the units
-- Returns how many had not been given back before
-- Cost: O(units)
now = tonumber(ARGV[1]) or time()
local n, back = 0, {}
for i = 4, #ARGV do
    if redis.call('SADD', KEYS[1] .. ':returned', ARGV[2] .. ':' .. ARGV[i]) == 1 then
        n = n + 1
        if redis.call('SETBIT', KEYS[3], ARGV[i], 0) == 1 then
            back[#back + 1] = ARGV[i]
        end
    end
end
if #back > 0 then
    free(back)
end
local places = KEYS[1] .. ':places'
if n > 0 and redis.call('HEXISTS', places, ARGV[3]) == 1 and redis.call('HINCRBY', places, ARGV[3], -n) <= 0 then
    redis.call('HDEL', places, ARGV[3])
end
return n
