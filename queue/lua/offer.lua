-- Offers places, in the order given, as far as cap and rate allow, and
-- describes the sale. Everything that decides (cap, rate, pause, times) is read
-- here, never passed in, so a caller with old values can do no harm; and only
-- the controller that holds the lease may call, so nobody offers places that it
-- looked up long ago.
-- KEYS 1 leader  2 state  3 limits  4 offered  5 active  6 numbers  7 sessions
--      8 offers  9 pace  10 missed
-- ARGV 1 clock (us) or ''  2 controller  3 tick (ms)  4.. place id and kind, in
--      turns: m of the main line, c a comeback, l late
-- Returns {how many of the places need not be looked at again: offered now, or
-- before by a call whose answer was lost; how many were offered now; sale as
-- describe tells}, or the error FENCED.
-- Cost O(log N) an offer: 4 us.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('FENCED another controller ticks') end
local now = clock()
local ms = math.floor(now / 1000)
local free, bucket = room(ms, tonumber(ARGV[3]), KEYS[2], KEYS[3], KEYS[4], KEYS[5])
local s = redis.call('HMGET', KEYS[2], 'claim', 'last_offer', 'max_in_use')
local last_offer, made, taken = tonumber(s[2] or '0'), 0, 0
local deadline = ms + tonumber(s[1] or '0') * 1000

-- Places and their numbers are read and written at once: a call to Redis for
-- each would be most of the cost.
local places = {}
for i = 4, #ARGV, 2 do places[#places + 1] = ARGV[i] end
local had = #places > 0 and redis.call('HMGET', KEYS[6], unpack(places)) or {}
local slots, numbers, again = {}, {}, {}
for i, place in ipairs(places) do
  local kind = ARGV[3 + 2 * i]
  -- A number with a c behind it is of a missed turn that may be repeated once.
  if not had[i] or string.sub(had[i], -1) == 'c' then
    if made == free then break end
    last_offer, made = last_offer + 1, made + 1
    local n = #slots
    slots[n + 1], slots[n + 2] = deadline, place
    numbers[n + 1], numbers[n + 2] = place, text(last_offer) .. (had[i] and ' again' or kind == 'm' and '' or ' beside')
    if had[i] then again[#again + 1] = place end
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', 100000, text(last_offer) .. '-0', 'place', place, 'by', deadline, 'kind', kind)
  end
  taken = taken + 1
end
if made > 0 then
  redis.call('ZADD', KEYS[4], unpack(slots))
  redis.call('HSET', KEYS[6], unpack(numbers))
end
if #again > 0 then redis.call('ZREM', KEYS[10], unpack(again)) end

local in_use = redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5])
redis.call('HSET', KEYS[2], 'last_offer', text(last_offer), 'bucket', text(bucket - made * 60000), 'bucket_at', ms,
  'max_in_use', math.max(in_use, tonumber(s[3] or '0')))
keep_pace(KEYS[9], now, last_offer)
return { taken, made, describe(now, KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9]) }
