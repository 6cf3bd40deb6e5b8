-- Lets a payment begin, or says who has to wait or has come to a limit. It is counted
-- before it begins, all counters or none, so that a thousand at once are no way round.
--
-- KEYS  what score.lua knows of the subjects, then the counters
-- ARGV  1 now, empty for Redis' own clock  2 how many subjects; then for each counter
--       how much this adds, the most, and the ms after which it begins anew
-- Returns {0}, or {number of the key that refuses, ms to wait}
-- Cost: O(keys)
local now = tonumber(ARGV[1])
if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local states = tonumber(ARGV[2])
for i = 1, states do
    local known = redis.call('GET', KEYS[i])
    local ends = known and select(5, cmsgpack.unpack(known)) or 0
    if ends > now then
        return { i, ends - now }
    end
end
for i = states + 1, #KEYS do
    local at = 3 + (i - states - 1) * 3
    if (tonumber(redis.call('GET', KEYS[i])) or 0) + ARGV[at] > tonumber(ARGV[at + 1]) then
        return { i, math.max(1, redis.call('PTTL', KEYS[i])) }
    end
end
for i = states + 1, #KEYS do
    local at = 3 + (i - states - 1) * 3
    redis.call('INCRBY', KEYS[i], ARGV[at])
    if redis.call('PTTL', KEYS[i]) < 0 then
        redis.call('PEXPIRE', KEYS[i], ARGV[at + 2])
    end
end
return { 0 }
