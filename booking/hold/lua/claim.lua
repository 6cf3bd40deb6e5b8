-- Claims what choose() chose for a session, all or nothing. Safe to repeat with
-- the same hold id: the second time it answers with the record of the first.
--
-- ARGV  1 now  2 hold  3 session  4 sale  5 life of a hold in ms
--       6 ms at which the session ends  7 extensions  8 … see choose()
-- Codes unbuilt: the bitmaps were not compared with Postgres since this Redis
--       process started, which may have lost its last second; exists: the
--       session has a live hold; over: the session has ended; foreign: the id
--       is another session's; those of choose(); a state
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

local units, code = choose()
if not units then
    return { code, now }
end
for _, unit in ipairs(units) do
    redis.call('SETBIT', KEYS[2], unit, 1)
end
redis.call('HSET', KEYS[7], 'session', ARGV[3], 'sale', ARGV[4], 'state', 'held', 'deadline', deadline,
    'session_ends', ARGV[6], 'left', ARGV[7], 'units', table.concat(units, ','))
redis.call('ZADD', KEYS[4], deadline, ARGV[2])
redis.call('HSET', KEYS[6], ARGV[3], ARGV[2])
return answer()
