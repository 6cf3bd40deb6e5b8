-- Comes after once.lua in every script of this package: what a call says of its hold
-- and how a hold ends.
--
-- All scripts have the same KEYS:
--   1 built      run id of the Redis process that was compared with Postgres
--   2 taken      bitmap, bit = unit that is not free
--   3 sold       bitmap, bit = unit that is sold (so it is taken, too)
--   4 deadlines  sorted set, held hold -> ms at which it runs out
--   5 paying     sorted set, paying hold -> ms by which the payment should end
--   6 sessions   hash, session -> its live hold
--   7 hold:{id}  hash, the record; for sweep, the prefix of all of them
-- They answer {code, now, record as field, value, …}. The code is found where there
-- is a record.

-- answer returns the record.
local function answer()
    local record = redis.call('HGETALL', KEYS[7])
    return { #record > 0 and 'found' or 'unknown', now, unpack(record) }
end

-- runs_of are units as runs of neighbors, {first, how many, what comes behind them}. The
-- bits of a run are one number of a bitmap, as long as Lua's bit operations can take it.
local function runs_of(units)
    local runs = {}
    for _, unit in ipairs(units) do
        local run, n = runs[#runs], tonumber(unit)
        if run and n == run[3] and run[2] < 31 then
            run[2], run[3] = run[2] + 1, n + 1
        else
            runs[#runs + 1] = { unit, 1, n + 1 }
        end
    end
    return runs
end

-- bits reads the numbers that runs of units are in a bitmap, or sets them and returns
-- what they were. It is one command for all: each costs 1 µs and more, and if it
-- writes 100 bytes of the append-only file.
local function bits(bitmap, runs, to)
    local call = { 'BITFIELD', bitmap }
    for i, run in ipairs(runs) do
        local n = #call
        call[n + 1], call[n + 2], call[n + 3], call[n + 4] = to and 'SET' or 'GET', 'u' .. run[2], run[1], to and to[i]
    end
    return redis.call(unpack(call))
end

-- ones are the numbers of runs all of whose bits are set, as texts: Redis takes 0.3 µs
-- to write a number that Lua gives it.
local full = {}

local function ones(runs)
    local all = {}
    for i, run in ipairs(runs) do
        full[run[2]] = full[run[2]] or string.format('%.0f', 2 ^ run[2] - 1)
        all[i] = full[run[2]]
    end
    return all
end

-- A new hold has its deadline and its session written together with those of the
-- other calls, before anything of them is read or ends.
local deadlines, sessions, holding = {}, {}, {}

local function add(hold, session, deadline)
    local n = #deadlines
    deadlines[n + 1], deadlines[n + 2] = deadline, hold
    sessions[n + 1], sessions[n + 2] = session, hold
    holding[session] = true
end

local function write()
    if #deadlines > 0 then
        redis.call('ZADD', KEYS[4], unpack(deadlines))
        redis.call('HSET', KEYS[6], unpack(sessions))
        deadlines, sessions, holding = {}, {}, {}
    end
end

-- free gives units back that nobody holds any more: those that are sold or withheld by
-- a reserve to nobody, those of which the returns list has what comes free to its pool,
-- the others to the open sale. What lies beside built: see inventory's rebuild.lua.
local function free(units)
    local runs, at = runs_of(units), 0
    local gone, withheld, listed = bits(KEYS[3], runs), bits(KEYS[1] .. ':withheld', runs), bits(KEYS[1] .. ':listed', runs)
    for i in ipairs(gone) do
        gone[i] = bit.bor(gone[i], withheld[i])
        for k = runs[i][2] - 1, 0, -1 do
            at = at + 1
            if listed[i] ~= 0 and bit.band(listed[i], 2 ^ k) ~= 0 and bit.band(gone[i], 2 ^ k) == 0 then
                redis.call('ZADD', KEYS[1] .. ':pool', 'NX', now, units[at])
            end
        end
        gone[i] = bit.bor(gone[i], listed[i])
    end
    bits(KEYS[2], runs, gone)
end

-- finish ends a hold and gives its units back. The record stays a quarter of an hour,
-- so that its fan and repeats of a request learn how it ended.
local function finish(key, id, state)
    write()
    local record, units = redis.call('HMGET', key, 'units', 'session', 'place'), {}
    for unit in string.gmatch(record[1] or '', '%d+') do
        units[#units + 1] = unit
    end
    if #units > 0 then
        free(units)
    end
    redis.call('ZREM', KEYS[4], id)
    redis.call('ZREM', KEYS[5], id)
    if record[2] and redis.call('HGET', KEYS[6], record[2]) == id then
        redis.call('HDEL', KEYS[6], record[2])
    end
    if record[3] and state ~= 'sold' and redis.call('HINCRBY', KEYS[1] .. ':places', record[3], -#units) <= 0 then
        redis.call('HDEL', KEYS[1] .. ':places', record[3])
    end
    if record[1] then
        redis.call('HSET', key, 'state', state)
        redis.call('PEXPIRE', key, 900000)
        local ended, what = KEYS[1] .. ':ended', state == 'sold' and 'sold' or 'back' -- see inventory's count.lua
        redis.call('HINCRBY', ended, what, 1)
        redis.call('HINCRBY', ended, what .. '_units', #units)
    end
end

-- unheld answers for a hold that is not (or no longer) held by the session of
-- ARGV 3, and ends the one of ARGV 2 if its time has run out; nil if it is held.
local function unheld(session, state, deadline)
    if session ~= ARGV[3] then
        return { 'unknown', now }
    end
    if state == 'held' and tonumber(deadline) <= now then
        finish(KEYS[7], ARGV[2], 'expired')
        state = 'expired'
    end
    return state ~= 'held' and answer() or nil
end
