-- Uses the pass of a place whose session is over: its turn may be repeated. It
-- waits for a slot like everybody, so the cap is not raised.
-- KEYS 1 state  2 numbers  3 sessions  4 offered  5 active  6 sids  7 kept
--      8 passes  9 bought  10 limits  11 counts  12 events
-- ARGV 1 clock (us) or ''  2 place
-- Returns 1, or 0 if the place has no such right (no pass; it has bought; its
-- session goes on, or the slot is counted still; it was given up; the sale is
-- over). Idempotent.
-- Cost O(log N).
local place, now = ARGV[2], clock()
local had, how, of = pass_of(KEYS[8], place)
local number_, session = redis.call('HGET', KEYS[2], place), redis.call('HGET', KEYS[3], place)
if not how or not number_ or session == 'left' then return 0 end
if string.sub(number_, -1) == 'c' then return 1 end
if how ~= 'open' or redis.call('SISMEMBER', KEYS[9], place) == 1 or redis.call('ZSCORE', KEYS[4], place) then return 0 end
if now >= number(KEYS[1], 'end') * 1000 then return 0 end
local live = redis.call('HMGET', KEYS[10], 'mode', 'stopped')
local due = turn_time({ mode = live[1], stopped = live[2] or '0' }, math.floor(now / 1000))
local slots = slots_of(place, PARTY_MOST)
for _, slot in ipairs(slots) do
  if tonumber(redis.call('ZSCORE', KEYS[5], slot) or '0') > due then return 0 end
end
redis.call('ZREM', KEYS[5], unpack(slots)) -- what no tick has taken out yet
redis.call('HSET', KEYS[2], place, number_ .. ' c')
redis.call('HDEL', KEYS[3], place)
redis.call('HDEL', KEYS[6], string.match(session or '', '^%S+') or '')
redis.call('HDEL', KEYS[7], place)
redis.call('HSET', KEYS[8], place, had .. ' used ' .. of)
count_reentry(KEYS[11], KEYS[1], KEYS[12], now, 'reentries')
return 1
