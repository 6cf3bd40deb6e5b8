-- Marks a session as ended: it is not renewed any more. Its slot stays counted
-- until free.lua, after every gate has heard of it. Idempotent.
-- KEYS 1 active  2 sessions
-- ARGV 1 (clock, unused)  2 place
-- Returns '<sid> <exp>' of the session that ends, or '' if there is none.
-- Cost O(log N).
local session = redis.call('HGET', KEYS[2], ARGV[2])
if not session or not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return '' end
local sid, iat, exp, last = string.match(session, '^(%S+) (%d+) (%d+) (%d+)')
if not sid then return '' end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%s %s %s %s ended', sid, iat, exp, last))
return sid .. ' ' .. exp
