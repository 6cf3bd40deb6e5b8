-- Chooses the units that the fan named, all of them or none.
--
-- ARGV  8 … the units
-- Code  taken: at least one of them is not free
-- Cost: O(units)
local function choose()
    local units = {}
    for i = 8, #ARGV do
        if redis.call('GETBIT', KEYS[2], ARGV[i]) == 1 then
            return nil, 'taken'
        end
        units[#units + 1] = ARGV[i]
    end
    return units
end
