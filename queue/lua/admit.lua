-- One tick of a line: ends what has run out, offers places to the next living
-- people as far as cap and rate allow, and describes the line. Everything that
-- decides (cap, rate, pause, times) is read here, never passed in, so a caller
-- with old values can do no harm and any number of callers may tick.
-- KEYS 1 state  2 limits  3 order  4 collected  5 departed  6 left  7 offered
--      8 active  9 numbers  10 offers  11 pace
-- ARGV 1 clock (us) or ''  2 tick (ms; the rate bucket holds two)  3 most
--      offers, most expiries and most departures told in this call
-- Returns {line as describe tells, ordinals that left since the last call,
-- offers made, 1 if another call at once has work}.
-- Cost O(log N) an offer; at most ARGV 3 of each, under 5 ms.
local now = clock()
local ms, most = math.floor(now / 1000), tonumber(ARGV[3])

local offers_over = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', ms, 'LIMIT', 0, most)
for _, place in ipairs(offers_over) do redis.call('ZREM', KEYS[7], place) end
local sessions_over = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', ms, 'LIMIT', 0, most)
for _, place in ipairs(sessions_over) do redis.call('ZREM', KEYS[8], place) end

local s = redis.call('HMGET', KEYS[1], 'drawn', 'open', 'end', 'claim', 'cursor', 'last_offer', 'gone', 'bucket', 'bucket_at', 'max_in_use')
local l = redis.call('HMGET', KEYS[2], 'cap', 'rate', 'paused')
local cap, rate = tonumber(l[1] or '0'), tonumber(l[2] or '0')
local running = s[1] == '1' and ms >= tonumber(s[2]) and ms < tonumber(s[3]) and l[3] ~= '1'

-- The bucket counts in 1/60,000 of an offer: a millisecond adds the rate, an
-- offer costs 60,000. It holds two ticks, so a minute's rate is spread over the
-- minute, and one offer more: what is left of an offer may not be cut off
-- (120 a minute, 0.4 a tick, came out as 100).
local bucket = 0
if running then
  local fresh = math.max(0, ms - tonumber(s[9] or ms)) * rate
  bucket = math.min(tonumber(s[8] or '0') + fresh, 60000 + 2 * tonumber(ARGV[2]) * rate)
end

local in_use = redis.call('ZCARD', KEYS[7]) + redis.call('ZCARD', KEYS[8])
local room = running and math.min(cap - in_use, math.floor(bucket / 60000), most) or 0
local size = redis.call('ZCARD', KEYS[3])
local cursor, number_, made = tonumber(s[5] or '0'), tonumber(s[6] or '0'), 0
local deadline = ms + tonumber(s[4] or '0') * 1000

-- Walk by runs of the living: two BITPOS and one ZRANGE a run.
while made < room do
  local from = next_living(KEYS[5], cursor)
  if from >= size then
    cursor = size
    break
  end
  local to = math.min(next_departed(KEYS[5], from, size), from + room - made)
  for _, place in ipairs(redis.call('ZRANGE', KEYS[3], from, to - 1)) do
    number_, made = number_ + 1, made + 1
    redis.call('ZADD', KEYS[7], deadline, place)
    redis.call('HSET', KEYS[9], place, number_)
    redis.call('XADD', KEYS[10], 'MAXLEN', '~', 100000, string.format('%.0f-0', number_), 'place', place, 'by', deadline)
  end
  cursor = to
end

local before = tonumber(s[5] or '0')
if cursor > before then
  local passed = cursor - before - made -- departed people that the cursor went over
  local score = redis.call('ZRANGE', KEYS[3], cursor - 1, cursor - 1, 'WITHSCORES')[2]
  redis.call('HSET', KEYS[1], 'cursor', cursor, 'cursor_score', score, 'last_offer', number_,
    'gone', tonumber(s[7] or '0') - passed)
end
in_use = in_use + made
redis.call('HSET', KEYS[1], 'bucket', string.format('%.0f', bucket - made * 60000), 'bucket_at', ms,
  'max_in_use', math.max(in_use, tonumber(s[10] or '0')))
redis.call('HINCRBY', KEYS[1], 'seq', 1)
keep_pace(KEYS[11], now, number_)

local gone = redis.call('LPOP', KEYS[6], most) or {}
local more = (#offers_over == most or #sessions_over == most or made == most or #gone == most) and 1 or 0
return { describe(now, KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7], KEYS[8], KEYS[11]), gone, made, more }
