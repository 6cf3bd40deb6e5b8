-- Turns a held hold into a paying one for one payment attempt: from here on the
-- sweeper leaves it alone. Safe to repeat with the same attempt.
--
-- ARGV  1 now  2 hold  3 session  4 attempt  5 life of a payment in ms
-- Codes unknown: not this session's; other: another attempt is paying; a state
-- Cost: O(units) when the hold turns out to have run out, else O(1)
local h = redis.call('HMGET', KEYS[7], 'session', 'state', 'deadline', 'attempt')
if h[1] == ARGV[3] and h[2] == 'paying' and h[4] ~= ARGV[4] then
    return { 'other', now }
end
local refusal = unheld(h[1], h[2], h[3])
if refusal then
    return refusal
end
redis.call('HSET', KEYS[7], 'state', 'paying', 'attempt', ARGV[4], 'kept', h[3], 'deadline', now + ARGV[5])
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[5], now + ARGV[5], ARGV[2])
return answer()
