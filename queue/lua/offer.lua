-- Offers places, in the order given, as far as cap, rate and stock allow, and
-- describes the sale. Everything that decides (cap, rate, stock, mode, shares, times)
-- is read here, never passed in, so a caller with old values can do no harm; and only
-- the controller that holds the lease may call, so nobody offers places that it
-- looked up long ago.
--
-- The lanes of a sale take turns by their shares. A lead says how far a lane is
-- ahead of its share; the next turn is of the lane with the least among those where
-- somebody waits. What it costs makes up for its share. Leads are told from that of
-- the lane whose turn it is, and are never less: a lane where nobody was saves up
-- nothing. A lane whose list ends, though others stand behind it, waits for the
-- next call and so do all behind its turn.
--
-- A party is offered when as many slots are free as it has members. It holds the
-- line until then, all lanes of it, 10 s at most. Then it steps aside, before
-- everybody in its lane: the next go first, and for each person who does one slot
-- is saved for the first of the parties that stand there, so that neither waits for
-- ever.
-- KEYS 1 leader  2 state  3 limits  4 offered  5 active  6 numbers  7 sessions
--      8 offers  9 pace  10 missed  11 parties  12 stock  13 standing
-- ARGV 1 clock (us) or ''  2 controller  3 tick (ms)  4 how many lanes  5.. of each
--      how many of its places follow, and 1 if others stand behind them  then place
--      id and kind, in turns: m of the main line, c before everybody, l late
-- Returns {a letter for each of the places, how many were offered now, sale as
-- describe tells}, or the error FENCED. The letters: o offered, now or before by
-- a call whose answer was lost; a it steps aside; - it stays where it is.
-- Cost O(log N) an offer: 4 us; 0.3 us a place and lane that is looked at.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('FENCED another controller ticks') end
local now = clock()
local ms = math.floor(now / 1000)
local s = read_sale(KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[12])
prove(s, now) -- before anybody is offered
local _, bucket, free, people = room(s, ms, tonumber(ARGV[3]))
local last_offer, made, friends = tonumber(s.last_offer or '0'), 0, 0
local deadline = ms + tonumber(s.live.claim) * 1000

-- Places and their numbers are read and written at once: a call to Redis for
-- each would be most of the cost.
local lanes, places, kinds = read_lanes(s), {}, {}
local count = tonumber(ARGV[4])
for i = 5 + 2 * count, #ARGV, 2 do
  places[#places + 1] = ARGV[i]
  kinds[#places] = ARGV[i + 1]
end
local at = 1
for k, lane in ipairs(lanes) do
  local size = k <= count and tonumber(ARGV[3 + 2 * k]) or 0
  lane.first, lane.next, lane.last, lane.cut = at, at, at + size - 1, k <= count and ARGV[4 + 2 * k] == '1'
  at = at + size
end
local had = #places > 0 and redis.call('HMGET', KEYS[6], unpack(places)) or {}
local parties = #places > 0 and redis.call('EXISTS', KEYS[11]) == 1 and redis.call('HMGET', KEYS[11], unpack(places)) or {}
local letters, slots, numbers, named, again = {}, {}, {}, {}, {}

-- A number with a c behind it is of a missed turn that may be repeated once.
local function served(i) return had[i] and string.sub(had[i], -1) ~= 'c' end

local function offer(i, size, lane)
  local place, kind, n = places[i], kinds[i], #numbers
  last_offer, made = last_offer + 1, made + 1
  free, people = free - size, people - size
  bucket, friends = bucket - size * 60000, friends + size - 1
  lane.lead, lane.people = lane.lead + size * lane.cost, lane.people + size
  for _, slot in ipairs(slots_of(place, size)) do
    slots[#slots + 1] = deadline
    slots[#slots + 1] = slot
  end
  named[made] = place
  numbers[n + 1], numbers[n + 2] = place, text(last_offer) .. (had[i] and ' again' or kind == 'm' and '' or ' beside')
  if had[i] then again[#again + 1] = place end
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', 100000, text(last_offer) .. '-0', 'place', place, 'by', deadline, 'kind', kind)
  letters[i] = 'o'
end

-- The lane whose turn it is: somebody waits there.
local function turn()
  local least
  for _, lane in ipairs(lanes) do
    if (lane.next <= lane.last or lane.cut) and (not least or lane.lead < least.lead) then least = lane end
  end
  return least
end

-- The party for which slots are saved comes first of all, of that lane which is
-- least ahead. One that is larger than the cap would stop everybody.
local cap, saving, saving_lane = s.mode == 'pass' and math.huge or tonumber(s.cap), nil, nil
for _, lane in ipairs(lanes) do
  local first
  for i = lane.first, lane.last do
    letters[i] = '-'
    local size = size_of(parties[i])
    if not first and size > 1 and size <= cap and kinds[i] == 'c' and not served(i) then first = i end
  end
  if first and (not saving or lane.lead < saving_lane.lead) then saving, saving_lane = first, lane end
end
local saver, saved = s.saver or '', tonumber(s.saved or '0')
if #places > 0 then
  local first = saving and places[saving] or ''
  if saver ~= first then saver, saved = first, 0 end
  if saving and size_of(parties[saving]) <= free and bucket >= 60000 and people >= 1 then
    offer(saving, size_of(parties[saving]), saving_lane)
    saver, saved = '', 0
  end
end

local holder, since = s.holder or '', tonumber(s.held_since or '0')
local lane = turn()
while lane and lane.next <= lane.last do
  local i = lane.next
  local place, size = places[i], size_of(parties[i])
  if served(i) then
    letters[i] = 'o'
  elseif letters[i] == '-' then
    if bucket < 60000 or people < 1 or #slots > 6000 then break end -- unpack takes 8,000 at most
    if size <= free - saved then
      local lead = lane.lead
      for _, each in ipairs(lanes) do each.lead = math.max(0, each.lead - lead) end
      offer(i, size, lane)
      if saver ~= '' then saved = math.min(saved + size, size_of(parties[saving])) end
    elseif size == 1 then
      break
    elseif kinds[i] ~= 'c' then
      if holder ~= place then holder, since = place, ms end
      if size <= cap and ms - since < 10000 then break end
      letters[i], holder = 'a', ''
    end
  end
  lane.next = i + 1
  lane = turn()
end
if made > 0 then
  s.offered = s.offered + redis.call('ZADD', KEYS[4], unpack(slots))
  redis.call('HSET', KEYS[6], unpack(numbers))
end
if made > 0 and s.lanes then
  s.leads, s.turns = lanes_text(lanes, 'lead'), lanes_text(lanes, 'people')
  redis.call('HSET', KEYS[2], 'leads', s.leads, 'turns', s.turns)
end
if made > 0 then redis.call('ZREM', KEYS[13], unpack(named)) end
if #again > 0 then redis.call('ZREM', KEYS[10], unpack(again)) end
if friends > 0 then s.friends = redis.call('HINCRBY', KEYS[2], 'friends', friends) end
if holder ~= (s.holder or '') then redis.call('HSET', KEYS[2], 'holder', holder, 'held_since', since) end
if saver ~= (s.saver or '') or saved ~= tonumber(s.saved or '0') then redis.call('HSET', KEYS[2], 'saver', saver, 'saved', saved) end
s.last_offer = text(last_offer)
keep_tick(s, now, bucket, made, KEYS[2], KEYS[9])
return { table.concat(letters), made, describe(s, now, KEYS[5], KEYS[9]) }
