-- Chooses what is wanted and marks it as taken, part by part, so that no part
-- takes what another has.
--
-- ARGV  11 … the parts, one after another:
--       "units", how many, each unit: those that the fan named
--       "run", how many, stretches: neighbors; the stretches of rows, packed as
--         first and length (4 bytes each), how many seats beside its beginning and
--         its end are chosen from later (1 each, two at most) and whether its view
--         is restricted (1), in the order in which they are preferred
--       "any", how many, first unit, number of units: lowest numbers first. There
--         is no counter: what is left is what the bitmap says
--       "kept", how many, how many ranges, first unit and number of units of each:
--         lowest first, of what a reserve withholds and nobody holds or has bought
-- Codes taken: a unit that was named is not free; sold-out: fewer are left, or not
--       so many neighbors
-- Cost: O(units + rows + gaps in them); 700 full rows 3.5 ms on a busy machine, a
--       place behind 100,000 sold ones 0.2 ms, with the way to Redis and back; of kept
--       ones the units of all live holds, too: the counter asks seldom
local chosen, spare -- what was marked, and what was taken already because it is withheld

-- mark marks units as taken and reports whether all of them were free. Only those
-- are chosen.
local function mark(units)
    local runs, free, at = runs_of(units), true, 0
    for i, was in ipairs(bits(KEYS[2], runs, ones(runs))) do
        for k = runs[i][2] - 1, 0, -1 do
            at = at + 1
            if was == 0 or bit.band(was, 2 ^ k) == 0 then
                chosen[#chosen + 1] = units[at]
            else
                free = false
            end
        end
    end
    return free
end

-- freeBeside counts the free units from one on, in one direction, up to most.
local function freeBeside(unit, step, most)
    local n = 0
    while n < most and redis.call('GETBIT', KEYS[2], unit + step * n) == 0 do
        n = n + 1
    end
    return n
end

-- neighbors finds the first n free units side by side that leave no free seat
-- alone beside them; those that do are only taken where all would, before those
-- with a restricted view. A gap of free seats has room for three choices at most
-- until one is good: either end of it may be one seat away once.
local function neighbors(n, stretches)
    local second, view, at = nil, 0, 1
    while at <= #stretches do
        local at0, count, before, after, restricted
        at0, count, before, after, restricted, at = struct.unpack('>I4I4BBB', stretches, at)
        if restricted > view then
            view = restricted
            if second then
                return second
            end
        end
        local from, last = at0, at0 + count - 1
        while from + n - 1 <= last do
            local first = redis.call('BITPOS', KEYS[2], 0, from, last, 'BIT')
            if first < 0 then
                break
            end
            local stop = redis.call('BITPOS', KEYS[2], 1, first, last, 'BIT')
            if stop < 0 then
                stop = last + 1
            end
            if stop - first >= n then
                local left = first == at0 and freeBeside(first - 1, -1, before) or 0
                local right = stop > last and freeBeside(stop, 1, after) or 0
                for start = first, math.min(first + 2, stop - n) do
                    if left + start - first ~= 1 and right + stop - n - start ~= 1 then
                        return start
                    end
                end
                second = second or first
            end
            from = stop + 1
        end
    end
    return second
end

local part = {}

function part.units(n, at)
    return not mark({ unpack(ARGV, at, at + n - 1) }) and 'taken' or nil, at + n
end

function part.run(n, at)
    local first = neighbors(n, ARGV[at])
    if not first then
        return 'sold-out'
    end
    local units = {}
    for i = 1, n do
        units[i] = first + i - 1
    end
    mark(units)
    return nil, at + 1
end

function part.any(n, at)
    local from, last = tonumber(ARGV[at]), ARGV[at] + ARGV[at + 1] - 1
    local units = {}
    for i = 1, n do
        local unit = from <= last and redis.call('BITPOS', KEYS[2], 0, from, last, 'BIT') or -1
        if unit < 0 then
            return 'sold-out'
        end
        units[i], from = unit, unit + 1
    end
    mark(units)
    return nil, at + 2
end

function part.kept(n, at)
    write() -- of the calls before this one
    local held, prefix = {}, string.sub(KEYS[7], 1, -1 - #ARGV[2])
    for i = 4, 5 do
        for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
            for unit in string.gmatch(redis.call('HGET', prefix .. id, 'units') or '', '%d+') do
                held[unit] = true
            end
        end
    end
    for _, unit in ipairs(spare) do
        held[string.format('%d', unit)] = true
    end
    local all, found = 0, 0
    for i = at + 1, at + 2 * ARGV[at], 2 do
        all = all + ARGV[i + 1]
        for unit = tonumber(ARGV[i]), ARGV[i] + ARGV[i + 1] - 1 do
            if found == n then
                break
            end
            local name = string.format('%d', unit)
            if not held[name] and redis.call('GETBIT', KEYS[1] .. ':withheld', unit) == 1
                and redis.call('GETBIT', KEYS[3], unit) == 0 then
                found, held[name] = found + 1, true
                spare[#spare + 1] = unit
            end
        end
    end
    if found < n then
        return all == n and 'taken' or 'sold-out'
    end
    return nil, at + 1 + 2 * ARGV[at]
end

-- unchoose gives back what was marked.
local function unchoose()
    if #chosen > 0 then
        local runs, none = runs_of(chosen), {}
        for i in ipairs(runs) do
            none[i] = '0'
        end
        bits(KEYS[2], runs, none)
    end
end

-- choose returns the code of what could not be had.
local function choose()
    local at, code = 11, nil
    chosen, spare = {}, {}
    while at <= #ARGV do
        code, at = part[ARGV[at]](tonumber(ARGV[at + 1]), at + 2)
        if code then
            return code
        end
    end
end
