-- Keeps the slots of sessions at least until a hold or a payment of each is over,
-- whether or not its page renews the token meanwhile; or lets go of that. The edge
-- of each hears of it, and remembers it for a loss.
-- KEYS 1 active  2 sessions  3 sids  4 kept  5 parties  6 state  7 limits
-- ARGV 1 clock (us) or ''  2 margin (ms)  3 channel of changes; then of each
--      session its id, the hold, until when (ms) or 0 to let go, and 'p' for a
--      payment, else ''
-- Returns of each session 1; 0 if there is no such slot (a loss may have
-- forgotten one whose token is still good); -1 if it is over.
-- Cost O(log N) a session.
local live = redis.call('HMGET', KEYS[7], 'mode', 'stopped')
local ms = turn_time({ mode = live[1], stopped = live[2] or '0' }, math.floor(clock() / 1000))
local margin = tonumber(ARGV[2])

local function sustain(id, hold, until_, how)
  local place = redis.call('HGET', KEYS[3], id)
  local session = place and redis.call('HGET', KEYS[2], place) or ''
  local mine = string.sub(session, 1, #id + 1) == id .. ' '
  local slot = mine and tonumber(redis.call('ZSCORE', KEYS[1], place) or '')
  if until_ > 0 and mine and not (slot and slot > ms and string.find(session, ' open$')) then return -1 end
  if not slot then return 0 end

  local kept, latest = {}, 0
  for other, at, of in string.gmatch(redis.call('HGET', KEYS[4], place) or '', '(%S+)=(%d+)(p?)') do
    if other ~= hold and tonumber(at) > ms then
      kept[#kept + 1], latest = other .. '=' .. at .. of, math.max(latest, tonumber(at))
    end
  end
  if until_ > 0 then kept[#kept + 1], latest = hold .. '=' .. text(until_) .. how, math.max(latest, until_) end
  if #kept > 0 then redis.call('HSET', KEYS[4], place, table.concat(kept, ' ')) else redis.call('HDEL', KEYS[4], place) end

  -- Let go, the slot is counted for as long as its last token may be good: one was
  -- issued by now, whatever the clock did since.
  local least = until_ > 0 and slot or math.min(slot, ms + number(KEYS[6], 'life') * 1000 + margin)
  for _, each in ipairs(slots_of(place, size_of(redis.call('HGET', KEYS[5], place)))) do
    redis.call('ZADD', KEYS[1], math.max(least, latest), each)
  end
  redis.call('PUBLISH', ARGV[3], place)
  return 1
end

local told = {}
for i = 4, #ARGV, 4 do told[#told + 1] = sustain(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]) end
return told
