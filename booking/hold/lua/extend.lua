-- Starts a hold's life afresh, at the price of one of its extensions, never
-- past the end of its session. A second call within two seconds is taken for a
-- repeat and costs nothing.
--
-- ARGV  1 now  2 hold  3 session  4 life of a hold in ms
-- Codes unknown: not this session's; spent: no extension left, or nothing to
--       gain; a state
-- Cost: O(units) when the hold turns out to have run out, else O(1)
local h = redis.call('HMGET', KEYS[7], 'session', 'state', 'deadline', 'session_ends', 'left', 'extended')
local refusal = unheld(h[1], h[2], h[3])
if refusal then
    return refusal
end
if h[6] and now - h[6] < 2000 then
    return answer()
end
local deadline = math.min(now + ARGV[4], tonumber(h[4]))
if tonumber(h[5]) < 1 or deadline <= tonumber(h[3]) then
    return { 'spent', now }
end
redis.call('HSET', KEYS[7], 'deadline', deadline, 'left', h[5] - 1, 'extended', now)
redis.call('ZADD', KEYS[4], deadline, ARGV[2])
return answer()
