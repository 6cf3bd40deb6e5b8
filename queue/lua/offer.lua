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
-- ARGV 1 clock (us) or ''  2 controller  3 tick (ms)  4 most places offered in this
--      call  5 how many lanes  6.. of each how many of its places follow, and 1 if
--      others stand behind them  then a letter for each of the places, in one text,
--      what kind it is: m of the main line, c before everybody, l late  then the
--      places
-- Returns {a letter for each of the places, how many were offered now, sale as
-- describe tells}, or the error FENCED. The letters: o offered, now or before by
-- a call whose answer was lost; a it steps aside; - it stays where it is.
-- Cost O(log N) an offer: 3 us; 0.3 us a place and lane that is looked at.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return redis.error_reply('FENCED another controller ticks') end
local now = clock()
local ms = math.floor(now / 1000)
local s = read_sale(KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[12])
prove(s, now) -- before anybody is offered
local _, bucket, free, people = room(s, ms, tonumber(ARGV[3]))
local last_offer, made, friends = tonumber(s.last_offer or '0'), 0, 0
local by = text(ms + tonumber(s.live.claim) * 1000)

-- Places and their numbers are read and written at once, and the edges are told of
-- all offers in one entry: a call to Redis for each would be most of the cost.
local most, count, lanes = tonumber(ARGV[4]), tonumber(ARGV[5]), read_lanes(s)
local kinds, places = ARGV[6 + 2 * count], { unpack(ARGV, 7 + 2 * count) }
local at = 1
for k, lane in ipairs(lanes) do
  local size = k <= count and tonumber(ARGV[4 + 2 * k]) or 0
  lane.first, lane.next, lane.last, lane.cut = at, at, at + size - 1, k <= count and ARGV[5 + 2 * k] == '1'
  at = at + size
end
local had = #places > 0 and redis.call('HMGET', KEYS[6], unpack(places)) or {}
local some = #places > 0 and redis.call('EXISTS', KEYS[11]) == 1 and redis.call('HMGET', KEYS[11], unpack(places))
local parties = some or {}
local letters, slots, numbers, named, hows, again = {}, {}, {}, {}, {}, {}
local fates, ways -- letters and hows as texts, where they are known as such
local function kind(i) return string.sub(kinds, i, i) end

-- A number with a c behind it is of a missed turn that may be repeated once.
local function served(i) return had[i] and string.sub(had[i], -1) ~= 'c' end

-- Where nobody is special, the first are offered: that is what the rest of this
-- comes to then, at half the cost. Returns whether it was so.
local function offer_first()
  if #lanes > 1 or some or string.find(kinds, '[^m]') then return false end
  for i = 1, #places do
    if had[i] then return false end
  end
  local n = math.max(0, math.min(#places, most, free, math.floor(bucket / 60000), people))
  for i = 1, n do
    slots[2 * i - 1], slots[2 * i] = by, places[i]
    numbers[2 * i - 1], numbers[2 * i] = places[i], string.format('%d', last_offer + i)
  end
  named, ways = { unpack(places, 1, n) }, string.rep('m', n)
  fates = string.rep('o', n) .. string.rep('-', #places - n)
  last_offer, made, bucket = last_offer + n, n, bucket - n * 60000
  return true
end

local function offer(i, size, lane)
  local place, how, n = places[i], kind(i), #slots
  last_offer, made = last_offer + 1, made + 1
  free, people = free - size, people - size
  bucket, friends = bucket - size * 60000, friends + size - 1
  lane.lead, lane.people = lane.lead + size * lane.cost, lane.people + size
  slots[n + 1], slots[n + 2] = by, place
  for k = 2, size do slots[n + 2 * k - 1], slots[n + 2 * k] = by, place .. '#' .. k end
  named[made], hows[made] = place, how
  numbers[2 * made - 1], numbers[2 * made] = place, text(last_offer) .. (had[i] and ' again' or how == 'm' and '' or ' beside')
  if had[i] then again[#again + 1] = place end
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

local holder, since = s.holder or '', tonumber(s.held_since or '0')
local saver, saved = s.saver or '', tonumber(s.saved or '0')
local cap = s.mode == 'pass' and math.huge or tonumber(s.cap)

-- The party for which slots are saved comes first of all, of that lane which is
-- least ahead. One that is larger than the cap would stop everybody.
local function offer_saver()
  local saving, saving_lane
  for _, lane in ipairs(lanes) do
    local first
    for i = lane.first, lane.last do
      letters[i] = '-'
      local size = size_of(parties[i])
      if not first and size > 1 and size <= cap and kind(i) == 'c' and not served(i) then first = i end
    end
    if first and (not saving or lane.lead < saving_lane.lead) then saving, saving_lane = first, lane end
  end
  local first = saving and places[saving] or ''
  if saver ~= first then saver, saved = first, 0 end
  if saving and size_of(parties[saving]) <= free and bucket >= 60000 and people >= 1 then
    offer(saving, size_of(parties[saving]), saving_lane)
    saver, saved = '', 0
  end
  return saving
end

local function offer_by_turns()
  local saving = offer_saver()
  local lane = turn()
  while lane and lane.next <= lane.last do
    local i = lane.next
    local place, size = places[i], size_of(parties[i])
    if served(i) then
      letters[i] = 'o'
    elseif letters[i] == '-' then
      if made >= most or bucket < 60000 or people < 1 or #slots > 6000 then break end -- unpack takes 8,000 at most
      if size <= free - saved then
        local lead = lane.lead
        for _, each in ipairs(lanes) do each.lead = math.max(0, each.lead - lead) end
        offer(i, size, lane)
        if saver ~= '' then saved = math.min(saved + size, size_of(parties[saving])) end
      elseif size == 1 then
        break
      elseif kind(i) ~= 'c' then
        if holder ~= place then holder, since = place, ms end
        if size <= cap and ms - since < 10000 then break end
        letters[i], holder = 'a', ''
      end
    end
    lane.next = i + 1
    lane = turn()
  end
end

if #places > 0 and offer_first() then
  saver, saved = '', 0
elseif #places > 0 then
  offer_by_turns()
end
if made > 0 then
  s.offered = s.offered + redis.call('ZADD', KEYS[4], unpack(slots))
  redis.call('HSET', KEYS[6], unpack(numbers))
  tell_offers(KEYS[8], last_offer, table.concat(named, ' '), ways or table.concat(hows), by)
end
if made > 0 and s.lanes then
  s.leads, s.turns = lanes_text(lanes, 'lead'), lanes_text(lanes, 'people')
  redis.call('HSET', KEYS[2], 'leads', s.leads, 'turns', s.turns)
end
if made > 0 and redis.call('EXISTS', KEYS[13]) == 1 then redis.call('ZREM', KEYS[13], unpack(named)) end
if #again > 0 then redis.call('ZREM', KEYS[10], unpack(again)) end
if friends > 0 then s.friends = redis.call('HINCRBY', KEYS[2], 'friends', friends) end
if holder ~= (s.holder or '') then redis.call('HSET', KEYS[2], 'holder', holder, 'held_since', since) end
if saver ~= (s.saver or '') or saved ~= tonumber(s.saved or '0') then redis.call('HSET', KEYS[2], 'saver', saver, 'saved', saved) end
s.last_offer = text(last_offer)
keep_tick(s, now, bucket, made, KEYS[2], KEYS[9])
return { fates or table.concat(letters), made, describe(s, now, KEYS[5], KEYS[9]) }
