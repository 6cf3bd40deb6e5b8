-- Gives up the turn of a place that leaves, with all its slots.
-- KEYS 1 offered  2 active  3 numbers  4 sessions  5 state  6 passes
-- ARGV 1 clock (us) or ''  2 place id  3 1 if the line has come to the place
-- Returns 'left' (an offer is given up: its slot is free at once, for no token
-- was issued), 'active' (end the session first: its slot is counted still),
-- 'final' (the turn is over) or '' (there was none), or the errors SALE or
-- SETTLING: there was none, but a loss may have forgotten it. Idempotent.
-- Cost O(log N).
local place = ARGV[2]
if redis.call('ZREM', KEYS[1], unpack(slots_of(place, PARTY_MOST))) > 0 then
  redis.call('HSET', KEYS[4], place, 'left')
  return 'left'
end
local session = redis.call('HGET', KEYS[4], place)
if session == 'left' then return 'left' end
if session and redis.call('ZSCORE', KEYS[2], place) then return 'active' end
local number_ = redis.call('HGET', KEYS[3], place)
if number_ and string.sub(number_, -1) == 'c' then
  redis.call('HSET', KEYS[4], place, 'left') -- it waits for its second turn
  return ''
end
if session or number_ then
  void_pass(KEYS[6], place)
  return 'final'
end
return ARGV[3] == '1' and forgotten(KEYS[5], math.floor(clock() / 1000)) or ''
