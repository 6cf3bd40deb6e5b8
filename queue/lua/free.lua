-- Frees the slots of a session that end.lua marked and every gate refuses.
-- KEYS 1 active  2 sessions
-- ARGV 1 (clock, unused)  2 place
-- Returns 1 if any was freed, else 0. Idempotent.
-- Cost O(log N).
local session = redis.call('HGET', KEYS[2], ARGV[2])
if not session or not string.find(session, ' ended$') then return 0 end
return redis.call('ZREM', KEYS[1], unpack(slots_of(ARGV[2], PARTY_MOST))) > 0 and 1 or 0
