-- Puts back turns that a loss of the server forgot, from what edges and tokens
-- tell. Each takes the place of a ghost.
-- KEYS 1 state  2 offered  3 active  4 numbers  5 sessions  6 parties  7 limits
--      8 sids  9 kept  10 passes
-- ARGV 1 clock (us) or ''  2 margin (ms)  3.. place, number, claim by (ms) or
--      0, session text or '', members of a party or '', until when the slot was kept
--      (ms), re-entry pass or '' in turns
-- Returns how many slots were put back.
-- Cost O(log N) a turn.
local ms = math.floor(clock() / 1000)
if ms >= number(KEYS[1], 'ghosts_until') then return 0 end -- every slot forgotten is over
local live = redis.call('HMGET', KEYS[7], 'mode', 'stopped')
ms = turn_time({ mode = live[1], stopped = live[2] or '0' }, ms)
local back = 0
for i = 3, #ARGV, 7 do
  local place, number_, by, session = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local n = string.match(number_, '^%d+')
  if tonumber(n) > number(KEYS[1], 'last_offer') then redis.call('HSET', KEYS[1], 'last_offer', n) end
  redis.call('HSETNX', KEYS[4], place, number_)
  if ARGV[i + 6] ~= '' then redis.call('HSETNX', KEYS[10], place, ARGV[i + 6]) end
  if ARGV[i + 4] ~= '' and redis.call('HSETNX', KEYS[6], place, ARGV[i + 4]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'brought', size_of(ARGV[i + 4]) - 1)
  end
  local slots = slots_of(place, size_of(redis.call('HGET', KEYS[6], place)))
  largest(KEYS[1], #slots)
  local known = redis.call('HGET', KEYS[5], place)
  if session ~= '' then
    local exp = tonumber(string.match(session, '^%S+ %d+ (%d+)'))
    local slot = exp * 1000 + tonumber(ARGV[2])
    local kept = tonumber(ARGV[i + 5]) > slot
    if kept then slot = tonumber(ARGV[i + 5]) end
    if slot > ms and not known then
      redis.call('HSET', KEYS[5], place, session)
      redis.call('HSET', KEYS[8], string.match(session, '^%S+'), place)
      if kept then redis.call('HSETNX', KEYS[9], place, 'before=' .. ARGV[i + 5]) end
      for _, each in ipairs(slots) do
        back = back - redis.call('ZREM', KEYS[2], each) + redis.call('ZADD', KEYS[3], slot, each)
      end
    elseif known and string.find(known, ' open$') and exp > tonumber(string.match(known, '^%S+ %d+ (%d+)')) then
      redis.call('HSET', KEYS[5], place, session)
      for _, each in ipairs(slots) do redis.call('ZADD', KEYS[3], 'GT', slot, each) end
    end
  elseif by > ms and not known then
    for _, each in ipairs(slots) do back = back + redis.call('ZADD', KEYS[2], 'NX', by, each) end
  end
end
if back > 0 then redis.call('HSET', KEYS[1], 'ghosts', math.max(0, number(KEYS[1], 'ghosts') - back)) end
return back
