-- Comes after choose.lua in the claim of an offer of the returns list: chooses among
-- the units that are kept for that list, instead of those that are on sale.
--
-- Beside built lies built:pool, a sorted set: unit -> ms at which it came free. Its units
-- are marked as taken.
-- Cost: that of choose(), and O(units in the pool), of which the 4,096 are looked at
--       that lie there for longest
local chooseFree = choose

-- unchoose gives back to the pool what was chosen of it.
local function unchoose()
    for _, unit in ipairs(chosen) do
        redis.call('ZADD', KEYS[1] .. ':pool', 'NX', now, unit)
    end
end

-- choose returns the code of what could not be had.
local function choose()
    local taken, pool, rest = KEYS[2], KEYS[1] .. ':pool', KEYS[1] .. ':unpooled'
    redis.call('BITOP', 'NOT', rest, taken)
    redis.call('BITOP', 'OR', rest, rest, taken) -- ones, as many as there are units
    for _, unit in ipairs(redis.call('ZRANGE', pool, 0, 4095)) do
        redis.call('SETBIT', rest, unit, 0)
    end
    KEYS[2] = rest
    local fine, code = pcall(chooseFree)
    KEYS[2] = taken -- for the calls that come after this one, too
    redis.call('DEL', rest)
    if not fine then
        error(code)
    end
    if code then
        chosen = {} -- of the pool nothing was taken yet
    end
    for _, unit in ipairs(chosen) do
        redis.call('ZREM', pool, unit)
    end
    return code
end
