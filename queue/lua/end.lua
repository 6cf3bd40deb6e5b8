-- Marks a session as ended: it is not renewed any more. Its slot stays counted
-- until free.lua, after every gate has heard of it. Idempotent.
-- KEYS 1 active  2 sessions  3 state
-- ARGV 1 clock (us) or ''  2 place
-- Returns '<sid> <exp>' of the session that ends, with ' blind' behind it while a
-- loss may have forgotten which gates there are, or '' if there is none, or the
-- errors SALE or SETTLING: there is none, but a loss may have forgotten it.
-- Cost O(log N).
local session = redis.call('HGET', KEYS[2], ARGV[2])
if not session then return forgotten(KEYS[3], math.floor(clock() / 1000)) or '' end
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return '' end
local sid, iat, exp, last = string.match(session, '^(%S+) (%d+) (%d+) (%d+)')
if not sid then return '' end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%s %s %s %s ended', sid, iat, exp, last))
local blind = math.floor(clock() / 1000) < number(KEYS[3], 'ghosts_until')
return sid .. ' ' .. exp .. (blind and ' blind' or '')
