-- Claims what choose() chooses for a session, all or nothing. Safe to repeat with
-- the same hold id: the second time it answers with the record of the first.
--
-- Beside built lies built:places, a hash: place of the line -> how many units it
-- holds or has bought here, if its sale limits that.
--
-- ARGV  1 now  2 hold  3 session  4 sale  5 life of a hold in ms
--       6 ms at which the session ends  7 extensions  8 place
--       9 most units of a place, 0 for any number
--       10 how many it has in other performances  11 … see choose()
-- Codes unbuilt: the bitmaps were not compared with Postgres since this Redis
--       process started, which may have lost its last second; exists: the
--       session has a live hold; over: the session has ended; foreign: the id
--       is another session's; limit: the place would have too many; those of
--       choose(); new, with its deadline and its units: the rest of the record is as it
--       was asked for; of a repeat, a state
-- Cost: O(units) and that of choose()
if not built() then
    return { 'unbuilt', now }
end
local owner = redis.call('HGET', KEYS[7], 'session')
if owner then
    if owner ~= ARGV[3] then
        return { 'foreign', now }
    end
    return answer()
end
if holding[ARGV[3]] then
    write()
end
local other = redis.call('HGET', KEYS[6], ARGV[3])
if other then
    local ends = redis.call('ZSCORE', KEYS[4], other)
    if not ends or tonumber(ends) > now then
        return { 'exists', now }
    end
    finish(string.sub(KEYS[7], 1, -1 - #ARGV[2]) .. other, other, 'expired') -- the sweeper is about to do it
end
local deadline = math.min(now + ARGV[5], tonumber(ARGV[6]))
if deadline <= now then
    return { 'over', now }
end

local code = choose()
local most, places = tonumber(ARGV[9]), KEYS[1] .. ':places'
if not code and most > 0 and #chosen + #spare + ARGV[10] + (redis.call('HGET', places, ARGV[8]) or 0) > most then
    code = 'limit'
end
if code then
    unchoose()
    return { code, now }
end
for _, unit in ipairs(spare) do
    chosen[#chosen + 1] = string.format('%d', unit)
end
local ends, units = string.format('%.0f', deadline), table.concat(chosen, ',')
redis.call('HSET', KEYS[7], 'session', ARGV[3], 'sale', ARGV[4], 'state', 'held', 'deadline', ends,
    'session_ends', ARGV[6], 'left', ARGV[7], 'units', units)
if most > 0 then
    redis.call('HSET', KEYS[7], 'place', ARGV[8])
    redis.call('HINCRBY', places, ARGV[8], #chosen)
end
add(ARGV[2], ARGV[3], ends)
return { 'new', now, ends, units }
