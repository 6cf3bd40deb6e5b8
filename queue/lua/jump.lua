-- Moves the deadlines of a sale's slots along with a clock that jumped: a
-- deadline says how long a slot may still be in use, and that has not changed.
-- KEYS 1 leader  2 state  3 offered  4 active  5 sessions
-- ARGV 1 clock (us) or ''  2 controller  3 lease (ms)  4 jump (ms), negative if
--      the clock went back  5 margin (s): a token may be accepted that long
--      after its exp
-- Returns 1, or 0 if another controller leads, who sees the jump as well.
-- Cost O(slots in use * log N): 3 us each.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local jump, margin = tonumber(ARGV[4]), tonumber(ARGV[5])
for _, field in ipairs({ 'bucket_at', 'ghosts_until', 'held_since' }) do
  local at = redis.call('HGET', KEYS[2], field)
  if at then redis.call('HSET', KEYS[2], field, text(math.max(0, tonumber(at) + jump))) end
end
local slots = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
for i = 1, #slots, 2 do redis.call('ZADD', KEYS[3], slots[i + 1] + jump, slots[i]) end
slots = redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES')
for i = 1, #slots, 2 do
  local until_ = slots[i + 1] + jump
  -- Not below what the token itself says: whoever checks it has a clock of their
  -- own, and a token that was issued before a jump back lives all the longer.
  local exp = string.match(redis.call('HGET', KEYS[5], string.match(slots[i], '^[^#]+')) or '', '^%S+ %d+ (%d+) ')
  if jump < 0 and exp then until_ = math.max(until_, (exp + margin) * 1000) end
  redis.call('ZADD', KEYS[4], until_, slots[i])
end
return 1
