-- Turns an offer into a session with its first token. Idempotent: a repeated
-- claim answers the session there is, to every member of a party.
-- KEYS 1 state  2 offered  3 active  4 numbers  5 sessions  6 parties  7 limits
--      8 sids
-- ARGV 1 clock (us) or ''  2 place  3 session id to use if a new one is made
--      4 margin (s): a token may be accepted that long after its exp
--      5 tag of the member
-- Returns the session text '<sid> <iat> <exp> <end> open' (Unix seconds), or
-- the errors NOOFFER, EXPIRED (the offer), OVER (the session), PARTED, STOPPED
-- with the reason (the sale is), SALE or SETTLING: there is no offer, but a loss may have forgotten it, and it is being
-- put back.
-- Cost O(log N).
local refused = stopped(KEYS[7])
if refused then return refused end
local place, margin = ARGV[2], tonumber(ARGV[4])
local now = math.floor(clock() / 1000000)
local session, members = redis.call('HGET', KEYS[5], place), redis.call('HGET', KEYS[6], place)
if not is_member(members, ARGV[5]) then return redis.error_reply('PARTED not a member any more') end
if session then
  local slot = redis.call('ZSCORE', KEYS[3], place)
  if slot and tonumber(slot) > clock() / 1000 and string.find(session, ' open$') then return session end
  return redis.error_reply('OVER the session is over')
end
local claim_by = redis.call('ZSCORE', KEYS[2], place)
if not claim_by then
  if redis.call('HEXISTS', KEYS[4], place) == 1 then return redis.error_reply('EXPIRED the offer ran out') end
  return forgotten(KEYS[1], now * 1000) or redis.error_reply('NOOFFER nothing is offered')
end
if tonumber(claim_by) <= clock() / 1000 then return redis.error_reply('EXPIRED the offer ran out') end

-- The slot is counted until margin after the token's exp, and the token ends
-- margin before the session: nobody accepts a token whose slot is free.
local last = now + live_time(KEYS[7], KEYS[1], 'session')
local exp = math.min(now + number(KEYS[1], 'life'), last - margin)
session = string.format('%s %.0f %.0f %.0f open', ARGV[3], now, exp, last)
for _, slot in ipairs(slots_of(place, size_of(members))) do
  redis.call('ZREM', KEYS[2], slot)
  redis.call('ZADD', KEYS[3], (exp + margin) * 1000, slot)
end
redis.call('HSET', KEYS[5], place, session)
redis.call('HSET', KEYS[8], ARGV[3], place)
redis.call('HINCRBY', KEYS[1], 'claimed', 1)
return session
