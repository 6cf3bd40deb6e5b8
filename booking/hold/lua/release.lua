-- Gives a held hold's units back because its fan does not want them. Safe to
-- repeat; a hold that is being paid for stays.
--
-- ARGV  1 now  2 hold  3 session
-- Codes unknown: not this session's; a state
-- Cost: O(units)
if redis.call('HGET', KEYS[7], 'session') ~= ARGV[3] then
    return { 'unknown', now }
end
if redis.call('HGET', KEYS[7], 'state') == 'held' then
    finish(KEYS[7], ARGV[2], 'released')
end
return answer()
