-- Gives a session's next token, up to the session's end. Its slot may be kept for
-- longer than that, by a hold: then it is renewed though its page slept for longer
-- than a token lives.
-- KEYS 1 state  2 active  3 sessions  4 parties  5 limits
-- ARGV 1 clock (us) or ''  2 place  3 margin (s)  4 tag of the member
-- Returns the session text as claim does, or the errors OVER, PARTED, STOPPED,
-- SALE or SETTLING: there is no session, but a loss may have forgotten it. The slot of a
-- member who left a party is not renewed: it is free when the last token that the
-- member may have has expired.
-- Cost O(log N).
local refused = stopped(KEYS[5])
if refused then return refused end
local place, margin = ARGV[2], tonumber(ARGV[3])
local now = math.floor(clock() / 1000000)
local over = redis.error_reply('OVER the session is over')
local session, members = redis.call('HGET', KEYS[3], place), redis.call('HGET', KEYS[4], place)
if not is_member(members, ARGV[4]) then return redis.error_reply('PARTED not a member any more') end
local slot = redis.call('ZSCORE', KEYS[2], place)
if not session then return forgotten(KEYS[1], now * 1000) or over end
if not slot or tonumber(slot) <= clock() / 1000 then return over end
local sid, exp, last = string.match(session, '^(%S+) %d+ (%d+) (%d+) open$')
if not sid then return over end
exp, last = tonumber(exp), tonumber(last)
local next_exp = math.max(exp, math.min(now + number(KEYS[1], 'life'), last - margin))
if next_exp <= now then return over end
session = string.format('%s %.0f %.0f %.0f open', sid, now, next_exp, last)
for _, slot in ipairs(slots_of(place, size_of(members))) do redis.call('ZADD', KEYS[2], 'GT', (next_exp + margin) * 1000, slot) end
redis.call('HSET', KEYS[3], place, session)
return session
