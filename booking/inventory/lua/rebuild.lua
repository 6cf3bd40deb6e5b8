-- Brings a performance's bitmaps in line with Postgres without clearing a live
-- hold or a unit that was sold a moment ago: sold only grows, taken becomes
-- sold plus every unit of a live hold plus what is withheld, all in this one step.
-- A payment under way whose hold Redis has lost gets its hold back, as far as
-- nobody else has the units. Beside built lie built:withheld, the bitmap of what
-- is not on sale, built:listed, the bitmap of what comes to the returns list when it
-- comes free, built:pool, a sorted set of what did and belongs to nobody yet, by the
-- ms at which it came free, and built:reserves, which says by which reserves and for
-- which lists that is so.
--
-- KEYS  1 built  2 taken  3 sold  4 deadlines  5 paying  6 sessions
--       7 prefix of hold keys
-- ARGV  1 now in ms, or empty for Redis's clock
--       2 value for the built mark
--       3 bitmap of the units sold in Postgres, as long as the performance
--       4 life of a payment in ms
--       5 bitmap of the units withheld, or empty for none  6 by which reserves
--         and for which lists
--       7 how many units had been given back before Postgres was read: if some were
--       since, it says of them what was so before, and nothing is done
--       8 bitmap of the units that are listed, or empty for none
--       9 how many open attempts  10 … six for each: hold, sale, session, attempt,
--       units, place (empty where no limit counts them)
--       then place, how many units it has bought, in turns
-- Returns the number of holds that were restored, or -1: read Postgres again
-- Cost: O(bytes of the bitmaps + units in live holds and open attempts)
local now = tonumber(ARGV[1])
if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end

if redis.call('SCARD', KEYS[1] .. ':returned') ~= tonumber(ARGV[7]) then
    return -1
end

-- Of listed units those go to the pool that were not on sale and belong to nobody. A
-- Redis that lost what was on sale has it all from the list's point of view.
local listed, pool, loose = KEYS[1] .. ':listed', KEYS[1] .. ':pool', KEYS[1] .. ':loose'
if ARGV[8] ~= '' then
    redis.call('SET', listed, ARGV[8])
    if redis.call('EXISTS', KEYS[2]) == 1 then
        redis.call('BITOP', 'AND', loose, listed, KEYS[2])
    else
        redis.call('SET', loose, ARGV[8])
    end
end

local recorded = KEYS[1] .. ':recorded'
redis.call('SET', recorded, ARGV[3])
redis.call('BITOP', 'OR', KEYS[3], KEYS[3], recorded)
redis.call('DEL', recorded)
redis.call('SET', KEYS[2], redis.call('GET', KEYS[3]))

for i = 4, 5 do
    for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
        for unit in string.gmatch(redis.call('HGET', KEYS[7] .. id, 'units') or '', '%d+') do
            redis.call('SETBIT', KEYS[2], unit, 1)
        end
    end
end

local restored = 0
local bought = 10 + 6 * ARGV[9]
for i = 10, bought - 1, 6 do
    local id, key, free = ARGV[i], KEYS[7] .. ARGV[i], {}
    if redis.call('EXISTS', key) == 0 then -- an ended hold leaves a mark: it is not brought back
        for unit in string.gmatch(ARGV[i + 4], '%d+') do
            if redis.call('SETBIT', KEYS[2], unit, 1) == 0 then
                free[#free + 1] = unit
            end
        end
        if #free > 0 then
            redis.call('HSET', key, 'sale', ARGV[i + 1], 'session', ARGV[i + 2], 'state', 'paying',
                'attempt', ARGV[i + 3], 'units', table.concat(free, ','), 'deadline', now + ARGV[4],
                'kept', now, 'session_ends', now, 'left', 0)
            if ARGV[i + 5] ~= '' then
                redis.call('HSET', key, 'place', ARGV[i + 5])
            end
            redis.call('ZADD', KEYS[5], now + ARGV[4], id)
            restored = restored + 1
        end
    end
end

-- What places have is counted anew only for a Redis that may have lost some of it:
-- what was marked as sold a moment ago is not in what was read.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then
    local places = KEYS[1] .. ':places'
    redis.call('DEL', places)
    for i = bought, #ARGV, 2 do
        redis.call('HINCRBY', places, ARGV[i], ARGV[i + 1])
    end
    for i = 4, 5 do
        for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
            local record = redis.call('HMGET', KEYS[7] .. id, 'place', 'units')
            if record[1] then
                local _, n = string.gsub(record[2], '%d+', '')
                redis.call('HINCRBY', places, record[1], n)
            end
        end
    end
end

local withheld = KEYS[1] .. ':withheld'
if ARGV[5] == '' then
    redis.call('DEL', withheld)
else
    redis.call('SET', withheld, ARGV[5])
    redis.call('BITOP', 'OR', KEYS[2], KEYS[2], withheld)
end

local since = {}
if ARGV[8] == '' then
    redis.call('DEL', listed)
else
    redis.call('BITOP', 'NOT', recorded, KEYS[2])
    redis.call('BITOP', 'AND', loose, loose, recorded)
    redis.call('BITOP', 'OR', KEYS[2], KEYS[2], loose)
    local unit = redis.call('BITPOS', loose, 1)
    while unit >= 0 do
        since[unit] = redis.call('ZSCORE', pool, unit) or now
        redis.call('SETBIT', loose, unit, 0)
        unit = redis.call('BITPOS', loose, 1, math.floor(unit / 8))
    end
    redis.call('DEL', recorded, loose)
end
redis.call('DEL', pool)
for unit, at in pairs(since) do
    redis.call('ZADD', pool, at, unit)
end
redis.call('SET', KEYS[1] .. ':reserves', ARGV[6])
redis.call('SET', KEYS[1], ARGV[2])
return restored
