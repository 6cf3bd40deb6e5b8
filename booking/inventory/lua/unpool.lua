-- Puts units that the returns list does not want on sale, for anybody. Safe to repeat:
-- what is not in its pool any more is left alone.
--
-- KEYS  1 built  2 taken  3 … see keys.go
-- ARGV  the units
-- Returns how many it put on sale
-- Cost: O(units)
local n = 0
for _, unit in ipairs(ARGV) do
    if redis.call('ZREM', KEYS[1] .. ':pool', unit) == 1 then
        redis.call('SETBIT', KEYS[2], unit, redis.call('GETBIT', KEYS[1] .. ':withheld', unit))
        n = n + 1
    end
end
return n
