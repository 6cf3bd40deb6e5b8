-- Chooses any free units of a general-admission tier, lowest numbers first.
-- There is no counter: what is left is what the bitmap says.
--
-- ARGV  8 how many  9 first unit of the tier  10 its number of units
-- Code  sold-out: fewer are left
-- Cost: O(how many + bytes of the tier); behind 100,000 sold places
--       0.2 ms with the way to Redis and back
local function choose()
    local units, at, last = {}, tonumber(ARGV[9]), ARGV[9] + ARGV[10] - 1
    for _ = 1, tonumber(ARGV[8]) do
        local unit = -1
        if at <= last then
            unit = redis.call('BITPOS', KEYS[2], 0, at, last, 'BIT')
        end
        if unit < 0 then
            return nil, 'sold-out'
        end
        units[#units + 1] = unit
        at = unit + 1
    end
    return units
end
