-- Comes after once.lua in every script of this package: sets `now`, in milliseconds
-- since 1970, to ARGV[1], or to Redis's own clock where that is empty.
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
local now = tonumber(ARGV[1]) or time()

-- answer returns the record.
local function answer()
    local record = redis.call('HGETALL', KEYS[7])
    return { #record > 0 and 'found' or 'unknown', now, unpack(record) }
end

-- finish ends a hold and gives back those of its units that are neither sold nor
-- withheld by a reserve (see inventory's rebuild.lua). The record stays a quarter of an hour, so that its fan and repeats of a request
-- learn how it ended.
local function finish(key, id, state)
    local record, n = redis.call('HMGET', key, 'units', 'session', 'place'), 0
    for unit in string.gmatch(record[1] or '', '%d+') do
        local gone = redis.call('GETBIT', KEYS[3], unit)
        if gone == 0 then
            gone = redis.call('GETBIT', KEYS[1] .. ':withheld', unit)
        end
        redis.call('SETBIT', KEYS[2], unit, gone)
        n = n + 1
    end
    redis.call('ZREM', KEYS[4], id)
    redis.call('ZREM', KEYS[5], id)
    if record[2] and redis.call('HGET', KEYS[6], record[2]) == id then
        redis.call('HDEL', KEYS[6], record[2])
    end
    if record[3] and state ~= 'sold' and redis.call('HINCRBY', KEYS[1] .. ':places', record[3], -n) <= 0 then
        redis.call('HDEL', KEYS[1] .. ':places', record[3])
    end
    if record[1] then
        redis.call('HSET', key, 'state', state)
        redis.call('PEXPIRE', key, 900000)
        local ended, what = KEYS[1] .. ':ended', state == 'sold' and 'sold' or 'back' -- see inventory's count.lua
        redis.call('HINCRBY', ended, what, 1)
        redis.call('HINCRBY', ended, what .. '_units', n)
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
