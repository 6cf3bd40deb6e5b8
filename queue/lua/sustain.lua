-- Keeps the slots of sessions at least until a hold or a payment of each is over,
-- whether or not its page renews the token meanwhile; or lets go of that. The edge
-- of each hears of it, and remembers it for a loss.
-- KEYS 1 active  2 sessions  3 sids  4 kept  5 parties  6 state  7 limits
-- ARGV 1 clock (us) or ''  2 margin (ms)  3 channel of changes; then of each
--      session its id, the hold, until when (ms) or 0 to let go, and 'p' for a
--      payment, else ''
-- Returns of each session 1; 0 if there is no such slot (a loss may have
-- forgotten one whose token is still good); -1 if it is over.
-- Cost O(log N) a session. What is known of all is read at once, and what has become
-- of it is written at once: in between they are as if they came one after another.
local live = redis.call('HMGET', KEYS[7], 'mode', 'stopped')
local ms = turn_time({ mode = live[1], stopped = live[2] or '0' }, math.floor(clock() / 1000))
local margin = tonumber(ARGV[2])

-- The places of the sessions, and what is known of each by its place.
local ids, places, known = {}, {}, {}
for i = 4, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
local place_of = redis.call('HMGET', KEYS[3], unpack(ids))
for _, place in ipairs(place_of) do
  if place and not known[place] then places[#places + 1], known[place] = place, {} end
end
if #places > 0 then
  local function read(what, values)
    for i, value in ipairs(values) do known[places[i]][what] = value end
  end
  read('session', redis.call('HMGET', KEYS[2], unpack(places)))
  read('slot', redis.call('ZMSCORE', KEYS[1], unpack(places)))
  read('kept', redis.call('HMGET', KEYS[4], unpack(places)))
  read('members', redis.call('HMGET', KEYS[5], unpack(places)))
end

local function sustain(id, place, hold, until_, how)
  local of = known[place] or {}
  local session = of.session or ''
  local mine = string.sub(session, 1, #id + 1) == id .. ' '
  local slot = mine and tonumber(of.slot or '')
  if until_ > 0 and mine and not (slot and slot > ms and string.find(session, ' open$')) then return -1 end
  if not slot then return 0 end

  local kept, latest = {}, 0
  for other, at, of_ in string.gmatch(of.kept or '', '(%S+)=(%d+)(p?)') do
    if other ~= hold and tonumber(at) > ms then
      kept[#kept + 1], latest = other .. '=' .. at .. of_, math.max(latest, tonumber(at))
    end
  end
  if until_ > 0 then kept[#kept + 1], latest = hold .. '=' .. text(until_) .. how, math.max(latest, until_) end

  -- Let go, the slot is counted for as long as its last token may be good: one was
  -- issued by now, whatever the clock did since.
  local least = until_ > 0 and slot or math.min(slot, ms + number(KEYS[6], 'life') * 1000 + margin)
  of.kept, of.slot, of.changed = table.concat(kept, ' '), text(math.max(least, latest)), true
  return 1
end

local told = {}
for i = 4, #ARGV, 4 do
  told[#told + 1] = sustain(ARGV[i], place_of[i / 4], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3])
end

local keep, slots, idle = {}, {}, {}
for _, place in ipairs(places) do
  local of = known[place]
  if of.changed then
    if of.kept ~= '' then keep[#keep + 1], keep[#keep + 2] = place, of.kept else idle[#idle + 1] = place end
    for _, slot in ipairs(slots_of(place, size_of(of.members))) do slots[#slots + 1], slots[#slots + 2] = of.slot, slot end
    redis.call('PUBLISH', ARGV[3], place)
  end
end
if #keep > 0 then redis.call('HSET', KEYS[4], unpack(keep)) end
if #idle > 0 then redis.call('HDEL', KEYS[4], unpack(idle)) end
if #slots > 0 then redis.call('ZADD', KEYS[1], unpack(slots)) end
return told
