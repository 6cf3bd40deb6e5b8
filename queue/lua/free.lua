-- Frees the slots of a session that end.lua marked and every gate refuses. One
-- that is paying keeps its slot until the payment is over.
-- KEYS 1 active  2 sessions  3 kept
-- ARGV 1 clock (us) or ''  2 place
-- Returns 1 if any was freed, 0 if none was left, -1 if a payment keeps it, -2 if
-- no session is marked: a loss forgot that, and perhaps which gates there are.
-- Idempotent.
-- Cost O(log N).
local session = redis.call('HGET', KEYS[2], ARGV[2])
if not session or not string.find(session, ' ended$') then return -2 end
local ms, latest = math.floor(clock() / 1000), 0
for at in string.gmatch(redis.call('HGET', KEYS[3], ARGV[2]) or '', '=(%d+)p') do latest = math.max(latest, tonumber(at)) end
if latest > ms then
  for _, slot in ipairs(slots_of(ARGV[2], PARTY_MOST)) do redis.call('ZADD', KEYS[1], 'XX', latest, slot) end
  return -1
end
redis.call('HDEL', KEYS[3], ARGV[2])
return redis.call('ZREM', KEYS[1], unpack(slots_of(ARGV[2], PARTY_MOST))) > 0 and 1 or 0
