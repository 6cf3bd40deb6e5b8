-- Keeps the slot of a session at least until a hold or a payment of its is over,
-- whether or not its page renews the token meanwhile; or lets go of that.
-- KEYS 1 active  2 sessions  3 sids  4 kept  5 parties  6 state  7 limits
-- ARGV 1 clock (us) or ''  2 session id  3 hold  4 until (ms), or 0 to let go
--      5 'p' for a payment, else ''  6 margin (ms)
-- Returns the place, or '' if there is no such slot (a loss may have forgotten a
-- session whose token is still good), or the error OVER (the session is).
-- Cost O(log N).
local live = redis.call('HMGET', KEYS[7], 'mode', 'stopped')
local ms = turn_time({ mode = live[1], stopped = live[2] or '0' }, math.floor(clock() / 1000))
local until_ = tonumber(ARGV[4])
local place = redis.call('HGET', KEYS[3], ARGV[2])
local session = place and redis.call('HGET', KEYS[2], place) or ''
local mine = string.sub(session, 1, #ARGV[2] + 1) == ARGV[2] .. ' '
local slot = mine and tonumber(redis.call('ZSCORE', KEYS[1], place) or '')
if until_ > 0 and mine and not (slot and slot > ms and string.find(session, ' open$')) then
  return redis.error_reply('OVER the session is over')
end
if not slot then return '' end

local kept, latest = {}, 0
for hold, at, how in string.gmatch(redis.call('HGET', KEYS[4], place) or '', '(%S+)=(%d+)(p?)') do
  if hold ~= ARGV[3] and tonumber(at) > ms then
    kept[#kept + 1], latest = hold .. '=' .. at .. how, math.max(latest, tonumber(at))
  end
end
if until_ > 0 then kept[#kept + 1], latest = ARGV[3] .. '=' .. text(until_) .. ARGV[5], math.max(latest, until_) end
if #kept > 0 then redis.call('HSET', KEYS[4], place, table.concat(kept, ' ')) else redis.call('HDEL', KEYS[4], place) end

-- Let go, the slot is counted for as long as its last token may be good: one was
-- issued by now, whatever the clock did since.
local least = until_ > 0 and slot or math.min(slot, ms + number(KEYS[6], 'life') * 1000 + tonumber(ARGV[6]))
for _, each in ipairs(slots_of(place, size_of(redis.call('HGET', KEYS[5], place)))) do
  redis.call('ZADD', KEYS[1], math.max(least, latest), each)
end
return place
