-- Lets a payment begin, or says who has to wait or has come to a limit. It is counted
-- before it begins, all counters or none, so that a thousand at once are no way round; and
-- of a thousand for one hold one begins, so that the others count for nothing. One request
-- that comes again begins beside itself, and is counted once: its core may have died.
-- The card that a method is known to stand for is one more of the subjects: to ask for it
-- first would be one more way to Redis and back. All keys have one hash tag.
--
-- KEYS  what score.lua knows of the subjects, then the counters, then what says that a payment
--       for the hold has begun, unless ARGV 4 is 0 (packed: its request, how many are at it, and
--       until when in ms no other begins), then which card the method stands for, if there is one
-- ARGV  1 now, empty for Redis' own clock  2 how many subjects  3 how many counters  4 the ms
--       for which no other payment for the hold begins, 0 where there is none  5 what the request
--       is called  6 the ms for which that is known; for each counter how much this adds, the
--       most, and the ms after which it begins anew; if there is a method what the card's key of
--       the first kind begins with, and for each of its counters the same and those three
-- Returns {0, 0, card}, {-2, 0, card} where the same request is counted, {-1, ms to wait, ''} for
--       the hold, or {number of the subject or, after them, of the counter that refuses, ms to
--       wait, card}; the card's are the last of the subjects and of the counters
-- Cost: O(keys)
local now = tonumber(ARGV[1])
if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local subjects, counters = {}, {}
local function counter(key, at)
    counters[#counters + 1] = { key, ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2] }
end
for i = 1, tonumber(ARGV[2]) do
    subjects[i] = KEYS[i]
end
for i = 1, tonumber(ARGV[3]) do
    counter(KEYS[#subjects + i], 4 + 3 * i)
end
local alone, last = tonumber(ARGV[4]), #subjects + #counters
local begun, at = alone > 0 and KEYS[last + 1], 0
if begun then
    local known = redis.call('GET', begun)
    if known then
        local request, requests, ends = cmsgpack.unpack(known)
        if request == ARGV[5] then
            at = requests
        elseif ends > now then
            return { -1, ends - now, '' }
        end
    end
    last = last + 1
end
local method = KEYS[last + 1]
local card = method and redis.call('GET', method) or ''
if card ~= '' then
    local of = 7 + 3 * #counters
    subjects[#subjects + 1] = ARGV[of] .. card
    for k = of + 1, #ARGV, 4 do
        counter(ARGV[k] .. card, k + 1)
    end
end

for i, key in ipairs(subjects) do
    local known = redis.call('GET', key)
    local ends = known and select(5, cmsgpack.unpack(known)) or 0
    if ends > now then
        return { i, ends - now, card }
    end
end
if at > 0 then
    counters = {}
end
for i, c in ipairs(counters) do
    if (tonumber(redis.call('GET', c[1])) or 0) + c[2] > c[3] then
        return { #subjects + i, math.max(1, redis.call('PTTL', c[1])), card }
    end
end
for _, c in ipairs(counters) do
    redis.call('INCRBY', c[1], c[2])
    if redis.call('PTTL', c[1]) < 0 then
        redis.call('PEXPIRE', c[1], c[4])
    end
end
if begun then
    redis.call('SET', begun, cmsgpack.pack(ARGV[5], at + 1, now + alone), 'PX', tonumber(ARGV[6]))
end
return { at > 0 and -2 or 0, 0, card }
