-- Gives the place of a session a re-entry pass: what was bought into was not kept,
-- by no fault of the fan's. One for each session, two for a place, so that nobody
-- who can make the shop fail gains much by it.
-- KEYS 1 passes  2 sessions  3 sids  4 state  5 counts  6 events
-- ARGV 1 clock (us) or ''  2 session id  3 1 if somebody decided it, who may also
--      give one to a session that was ended, else 0
-- Returns {'new', 'had' (the session has had one), 'most' (the place has had two),
-- 'over' (the session was ended, or the place given up, by somebody; or the sale
-- is over) or '' (there is no such session), place or ''}, or the error SALE.
-- Cost O(1).
local sale = redis.call('HMGET', KEYS[4], 'version', 'end')
if not sale[1] then return redis.error_reply('SALE not published') end
local sid, decided, now = ARGV[2], ARGV[3] == '1', clock()
local place = redis.call('HGET', KEYS[3], sid)
local session = place and redis.call('HGET', KEYS[2], place) or ''
if string.sub(session, 1, #sid + 1) ~= sid .. ' ' then return { '', '' } end
if now >= tonumber(sale[2]) * 1000 or not decided and string.find(session, ' ended$') then return { 'over', place } end
local had, how, of = pass_of(KEYS[1], place)
-- What took back the pass of this very session may have been a mistake.
local again = decided and of == sid and how == 'void'
if not again and (of == sid or how == 'open') then return { 'had', place } end
if not again and had >= 2 then return { 'most', place } end
redis.call('HSET', KEYS[1], place, (again and had or had + 1) .. ' open ' .. sid)
if not again then count_reentry(KEYS[5], KEYS[4], KEYS[6], now, 'passes') end
return { 'new', place }
