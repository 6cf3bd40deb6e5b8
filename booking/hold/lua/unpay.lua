-- Turns a paying hold back into a held one after its attempt failed. It keeps
-- the deadline it had, or the first time the grace if that is later, never past
-- the end of its session: a bad card every two minutes would hold units for as
-- long as the session else. Safe to repeat: it does nothing unless this attempt
-- is paying.
--
-- ARGV  1 now  2 hold  3 attempt  4 grace in ms
-- Codes unknown: no record; a state
-- Cost: O(units) when the session is over, else O(1)
local h = redis.call('HMGET', KEYS[7], 'state', 'attempt', 'kept', 'session_ends', 'graced')
if h[1] ~= 'paying' or h[2] ~= ARGV[3] then
    return answer()
end
local grace = h[5] and 0 or now + ARGV[4]
local deadline = math.min(math.max(tonumber(h[3]), grace), tonumber(h[4]))
if deadline <= now then
    finish(KEYS[7], ARGV[2], 'expired')
    return answer()
end
redis.call('HSET', KEYS[7], 'state', 'held', 'deadline', deadline, 'graced', 1)
redis.call('HDEL', KEYS[7], 'attempt', 'kept')
redis.call('ZREM', KEYS[5], ARGV[2])
redis.call('ZADD', KEYS[4], deadline, ARGV[2])
return answer()
