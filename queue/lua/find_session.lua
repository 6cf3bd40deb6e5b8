-- Finds the place of a session.
-- KEYS 1 sids  2 sessions
-- ARGV 1 (clock, unused)  2 session id
-- Returns the place, or '' if there is no such session.
-- Cost O(1).
local place = redis.call('HGET', KEYS[1], ARGV[2])
local session = place and redis.call('HGET', KEYS[2], place) or ''
return string.sub(session, 1, #ARGV[2] + 1) == ARGV[2] .. ' ' and place or ''
