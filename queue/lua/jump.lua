-- Moves the deadlines of a sale's slots along with a clock that jumped: a
-- deadline says how long a slot may still be in use, and that has not changed.
-- KEYS 1 leader  2 state  3 offered  4 active  5 sessions  6 limits
-- ARGV 1 clock (us) or ''  2 controller  3 lease (ms)  4 jump (ms), negative if
--      the clock went back  5 margin (s): a token may be accepted that long
--      after its exp
-- Returns 1, or 0 if another controller leads, who sees the jump as well.
-- Cost O(slots in use * log N): 3 us each.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local jump, margin = tonumber(ARGV[4]), tonumber(ARGV[5])
for _, field in ipairs({ 'bucket_at', 'ghosts_until', 'held_since', 'found_at' }) do
  local at = redis.call('HGET', KEYS[2], field)
  if at then redis.call('HSET', KEYS[2], field, text(math.max(0, tonumber(at) + jump))) end
end
if redis.call('HGET', KEYS[6], 'mode') == 'stop' then redis.call('HINCRBY', KEYS[6], 'stopped', jump) end
move_deadlines(KEYS[3], KEYS[4], jump, function(slot, before)
  -- Not below what the token itself says: whoever checks it has a clock of their
  -- own, and a token that was issued before a jump back lives all the longer.
  local exp = string.match(redis.call('HGET', KEYS[5], string.match(slot, '^[^#]+')) or '', '^%S+ %d+ (%d+) ')
  if jump < 0 and exp then return math.max(before + jump, (exp + margin) * 1000) end
  return before + jump
end)
return 1
