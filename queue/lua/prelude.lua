-- Shared by every script of the line; prepended to each.

-- Microseconds since 1970: ARGV[1] if a test passed a clock, else Redis's own.
local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- A field of a hash as a number; absent counts as 0.
local function number(key, field)
  return tonumber(redis.call('HGET', key, field) or '0') or 0
end

-- The first score of arrivals after the close: every lobby score is below.
local FIRST_LATE = 4503599627370496 -- 2^52

-- Score of an arrival now, given the highest score there is (or nil): 2^52
-- plus microseconds since the close, at least one more than the last. Exact in
-- a double until 2^53, which is 142 years.
local function arrival(now, close_ms, last)
  local score = FIRST_LATE + math.max(0, now - close_ms * 1000)
  if last and last >= score then score = last + 1 end
  return score
end

-- The highest score of a sorted set, or nil.
local function tail(key)
  local last = redis.call('ZRANGE', key, 0, 0, 'REV', 'WITHSCORES')
  return last[2] and tonumber(last[2])
end

-- First ordinal >= from whose departed bit is 0. BITPOS answers 0 on a missing
-- key whatever the start, and -1 past the end: both mean "from, or the end of
-- the bitmap".
local function next_living(departed, from)
  local bits = redis.call('STRLEN', departed) * 8
  if from >= bits then return from end
  local at = redis.call('BITPOS', departed, 0, from, -1, 'BIT')
  if at < 0 then return bits end
  return at
end

-- First ordinal >= from whose departed bit is 1, or size if there is none.
local function next_departed(departed, from, size)
  local at = redis.call('BITPOS', departed, 1, from, -1, 'BIT')
  if at < 0 or at > size then return size end
  return at
end

-- The pace: for each of the last 120 seconds, the second and the number of the
-- last offer then. It gives every edge the same outflow, one just started too.
local function keep_pace(pace, now, last_offer)
  local second = math.floor(now / 1000000)
  redis.call('HSET', pace, second % 120, string.format('%.0f %.0f', second, last_offer))
end

-- The age (s) and number of the last offer as it stood a minute ago, or up to
-- 15 s longer where nobody ticked; 0 and 0 if that is not known.
local function minute_ago(pace, now)
  local second = math.floor(now / 1000000)
  for age = 60, 75 do
    local at, last_offer = string.match(redis.call('HGET', pace, (second - age) % 120) or '', '^(%d+) (%d+)$')
    if at and tonumber(at) == second - age then return age, last_offer end
  end
  return 0, '0'
end

-- The line as an edge sees it, in the order that Go's readState expects.
local function describe(now, state, limits, order, collected, offered, active, pace)
  local s = redis.call('HMGET', state, 'epoch', 'seq', 'cursor', 'cursor_score', 'last_offer', 'gone', 'drawn',
    'close', 'open', 'end', 'max_in_use')
  local l = redis.call('HMGET', limits, 'cap', 'rate', 'paused', 'reason')
  local age, before = minute_ago(pace, now)
  local expiry = redis.call('ZRANGE', active, 0, 0, 'REV', 'WITHSCORES')[2] or '0'
  return {
    string.format('%.0f', now), s[1] or '', s[2] or '0', s[3] or '0', s[4] or '0', s[5] or '0', s[6] or '0', s[7] or '0',
    s[8] or '0', s[9] or '0', s[10] or '0', s[11] or '0',
    l[1] or '0', l[2] or '0', l[3] or '0', l[4] or '',
    redis.call('ZCARD', order), redis.call('SCARD', collected),
    redis.call('ZCARD', offered), redis.call('ZCARD', active), expiry, age, before,
  }
end
