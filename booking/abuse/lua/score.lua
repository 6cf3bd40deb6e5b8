-- Counts points of several subjects, each by its own ladder. Points halve with time;
-- from slow on, rounded, since a little is gone a moment later, who does not wait
-- already comes to wait, each time twice as long. Whoever waits more often than they may is to be blocked.
--
-- KEYS  each what is known of a subject, packed: score, at (ms of the last change), waits,
--       since (ms of the last wait, or of the last that was forgiven), until (ms at which
--       the wait is over). One GET and one SET cost half of what a hash does.
-- ARGV  1 now, empty for Redis' own clock  2 how many ladders; then of each: ms in which
--       points halve; slow, 0 for never; first and longest wait in ms; waits before a
--       block, 0 for never; ms in which one is forgiven; ms that it is kept; then for each
--       key: points, which may be negative, and the number of its ladder
-- Returns for each key {ms to wait, 1 if this began a wait, 1 if it is to be blocked, waits, score as text},
--       or 0 where points were counted and nobody waits: so it is nearly always, and to say
--       more took as long as to count
-- Cost: O(keys)
local now = tonumber(ARGV[1])
if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end

local function count(key, points, half, slow, first, longest, most, forgive, life)
    local score, at, waits, since, ends = 0, now, 0, now, 0
    local known = redis.call('GET', key)
    if known then
        score, at, waits, since, ends = cmsgpack.unpack(known)
    end
    score = math.max(0, score * 2 ^ (-math.max(0, now - at) / half) + points)
    local forgiven = math.floor(math.max(0, now - since) / forgive)
    waits, since = math.max(0, waits - forgiven), since + forgiven * forgive
    local began, block = 0, 0
    if slow > 0 and points > 0 and math.floor(score + 0.5) >= slow and ends <= now then
        waits, since, began = waits + 1, now, 1
        ends = now + math.min(longest, first * 2 ^ math.min(waits - 1, 40))
        block = most > 0 and waits > most and 1 or 0
    end
    redis.call('SET', key, cmsgpack.pack(score, now, waits, since, ends), 'PX', math.max(1, life, ends - now))
    if points ~= 0 and began == 0 and ends <= now then
        return 0
    end
    return { math.max(0, ends - now), began, block, waits, string.format('%.3f', score) }
end

local ladders = {}
for n = 1, tonumber(ARGV[2]) do
    local at, l = 2 + (n - 1) * 7, {}
    for k = 1, 7 do
        l[k] = tonumber(ARGV[at + k])
    end
    ladders[n] = l
end
local answers = {}
for i, key in ipairs(KEYS) do
    local at = 1 + 7 * #ladders + 2 * i
    answers[i] = count(key, tonumber(ARGV[at]), unpack(ladders[tonumber(ARGV[at + 1])]))
end
return answers
