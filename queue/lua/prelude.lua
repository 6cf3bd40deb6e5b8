-- Shared by every script of the line; prepended to each. It runs once in a
-- server's life, so what is local here and changes is kept from call to call.
--
-- A sale has one capacity slot (state, limits, offered, active …) and one or
-- more lines, each in a slot of its own (line, order, departed …). No script
-- touches both.

-- Microseconds since 1970: ARGV[1] if a test passed a clock, else Redis's own.
local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- A field of a hash as a number; absent counts as 0.
local function number(key, field)
  return tonumber(redis.call('HGET', key, field) or '0') or 0
end

local function text(n) return string.format('%.0f', n) end

-- Tells the public what happens to a sale: the ledger is made of it. data is a
-- table or JSON of an object; it names nobody, and whole numbers in it stay below
-- 10^14 (cjson). The newest 10,000 are kept until the ledger has them. Telling is
-- never what makes a script fail. again is the version of a change of limits that
-- was told before, on a server that was lost: the ledger may have it.
local function tell(events, now, kind, data, again)
  if type(data) == 'table' then data = cjson.encode(data) end
  local entry = { 'kind', kind, 'data', data, 'at', text(math.floor(now / 1000)) }
  if again then entry[7], entry[8] = 'again', text(again) end
  redis.pcall('XADD', events, 'MAXLEN', '~', 10000, '*', unpack(entry))
end

-- Posts something on a sale's board in place of what was there, and returns its
-- number. Numbers are milliseconds of the line's clock, each higher than the one
-- before: what is posted after a loss is newer than what edges put back.
local function post(state, board, what, words, now)
  local n = math.max(number(state, 'board') + 1, math.floor(now / 1000))
  redis.call('HSET', board, what, text(n) .. ' ' .. words)
  redis.call('HSET', state, 'board', text(n))
  return n
end

-- Has the sale ticked at once by whoever ticks it, who may otherwise have no reason
-- to for a second.
local function wake(sale) redis.call('PUBLISH', 'ropeline:woken', sale) end

-- The server that runs this, named anew at each of its starts. Asked once: a
-- start forgets what is local here, and INFO costs 15 us and more if it comes
-- seldom.
local known_id
local function run_id()
  known_id = known_id or string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  return known_id
end

-- An error if a line may not be used now, else nil: SALE if it is not there,
-- SETTLING if the server started anew since (its last second may be lost) or
-- the line is being put together again.
local function unsettled(line)
  local l = redis.call('HMGET', line, 'close', 'run_id', 'settling')
  if not l[1] then return redis.error_reply('SALE not published') end
  if l[3] or l[2] ~= run_id() then return redis.error_reply('SETTLING the line is being put together again') end
  return nil
end

-- An error while turns that a loss of the server forgot may still be put back:
-- SALE if nothing of the sale is there, SETTLING for as long as ghosts are
-- counted; else nil.
local function forgotten(state, ms)
  local ghosts = redis.call('HMGET', state, 'version', 'ghosts_until')
  if not ghosts[1] then return redis.error_reply('SALE not published') end
  if ms < tonumber(ghosts[2] or '0') then return redis.error_reply('SETTLING turns are being put back') end
  return nil
end

-- The first score of arrivals after the close: every lobby score is below.
local FIRST_LATE = 4503599627370496 -- 2^52

-- Score of an arrival now, given the highest score there is (or nil): 2^52
-- plus microseconds since the close, at least one more than the last. Exact in
-- a double until 2^53, which is 142 years.
local function arrival(now, close_ms, last)
  local score = FIRST_LATE + math.max(0, now - close_ms * 1000)
  if last and last >= score then score = last + 1 end
  return score
end

-- The highest score of a sorted set, or nil.
local function tail(key)
  local last = redis.call('ZRANGE', key, 0, 0, 'REV', 'WITHSCORES')
  return last[2] and tonumber(last[2])
end

-- The score that whoever joins a line next comes behind: its last, or a later
-- one that a line of the same sale is known to have given.
local function last_score(line, order)
  local last, floor = tail(order), redis.call('HGET', line, 'floor')
  return floor and math.max(tonumber(floor), last or 0) or last
end

-- How many places of a line stand at or before one of this score and id, which
-- may be of another line of the sale. Ids are compared by their bytes, as in a
-- sorted set, and not by Lua's <, which follows the server's locale.
local function up_to(order, score, place)
  local n = redis.call('ZCOUNT', order, '-inf', '(' .. score)
  for _, other in ipairs(redis.call('ZRANGE', order, score, score, 'BYSCORE')) do
    local i = 1
    while i <= #other and string.byte(other, i) == string.byte(place, i) do i = i + 1 end
    if (string.byte(other, i) or -1) <= (string.byte(place, i) or -1) then n = n + 1 end
  end
  return n
end

-- First ordinal >= from whose departed bit is 0. BITPOS answers 0 on a missing
-- key whatever the start, and -1 past the end: both mean "from, or the end of
-- the bitmap".
local function next_living(departed, from)
  local bits = redis.call('STRLEN', departed) * 8
  if from >= bits then return from end
  local at = redis.call('BITPOS', departed, 0, from, -1, 'BIT')
  if at < 0 then return bits end
  return at
end

-- Takes whoever left out of a line that settles, for as long as ordinals hold:
-- before anybody else is put into the order or taken out of it. From the back, so
-- that the ordinals of the others do. At most so many in this call; returns
-- whether that was all.
local function take_out_departed(line, order, departed, quit, most, ms)
  while redis.call('STRLEN', departed) > 0 do
    if most <= 0 then return false end
    local bytes = redis.call('STRLEN', departed)
    local chunk = math.max(0, bytes - 64)
    for at = bytes * 8 - 1, chunk * 8, -1 do
      if redis.call('GETBIT', departed, at) == 1 then
        local place = redis.call('ZRANGE', order, at, at)[1]
        redis.call('SADD', quit, place) -- a leave is final, whatever ticket comes
        redis.call('ZREM', order, place)
        most = most - 1
      end
    end
    if chunk == 0 then
      redis.call('DEL', departed)
    else
      redis.call('SET', departed, redis.call('GETRANGE', departed, 0, chunk - 1))
    end
    redis.call('HSET', line, 'settle_last', ms)
  end
  return true
end

-- Which edges count as present: those that beat less than this long ago. One
-- that died is counted until its fans have had time to come back elsewhere.
local EDGE_KEPT = 60000

-- The names of the presence bitmaps that count, given the key of the edges'
-- heartbeats and what the names of the bitmaps begin with.
local function presences(edges, prefix, ms)
  local keys = redis.call('ZRANGEBYSCORE', edges, ms - EDGE_KEPT, '+inf')
  for i, edge in ipairs(keys) do keys[i] = prefix .. edge end
  return keys
end

-- How many of those in the shop have bought. With very many inside it is not
-- looked up: then there is more to sell than this could matter for.
local function buyers_inside(active, bought)
  if redis.call('ZCARD', active) > 20000 then return 0 end
  return redis.call('ZINTERCARD', 2, active, bought)
end

-- The pace: for each of the last 120 seconds, the second and the number of the
-- last offer then. It gives every edge the same outflow, one just started too.
local function keep_pace(pace, now, last_offer)
  local second = math.floor(now / 1000000)
  redis.call('HSET', pace, second % 120, string.format('%.0f %.0f', second, last_offer))
end

-- Tells the edges of offers, of which the last has that number: whose they are,
-- with spaces between, a letter each of what kind, and by when they are to be
-- claimed. The newest 100,000 are kept.
local function tell_offers(offers, last, places, kinds, by)
  redis.call('XADD', offers, 'MINID', '~', text(math.max(0, last - 100000)) .. '-0', text(last) .. '-0',
    'places', places, 'kinds', kinds, 'by', by)
end

-- The age (s) and number of the last offer as it stood a minute ago, or up to
-- 15 s longer where nobody ticked; 0 and 0 if that is not known.
local function minute_ago(pace, now)
  local second = math.floor(now / 1000000)
  for age = 60, 75 do
    local at, last_offer = string.match(redis.call('HGET', pace, (second - age) % 120) or '', '^(%d+) (%d+)$')
    if at and tonumber(at) == second - age then return age, last_offer end
  end
  return 0, '0'
end

-- A party is a place that several share: its members are kept as their tags,
-- separated by spaces, a place of one not at all. It fills a slot a member: the
-- place itself, then the place with #2, #3 … behind it, so that the cardinality
-- of offered and active is people, wherever it is read.
local PARTY_MOST = 10 -- as ropeline.MaxParty

local function size_of(members)
  if not members or members == '' then return 1 end
  return select(2, string.gsub(members, ' ', ' ')) + 1
end

local function slots_of(place, size)
  local slots = { place }
  for n = 2, size do slots[n] = place .. '#' .. n end
  return slots
end

-- The members without one; nil if there was none of that tag.
local function without(members, tag)
  local rest, found = {}, false
  for each in string.gmatch(members, '%S+') do
    if each == tag then found = true else rest[#rest + 1] = each end
  end
  if found then return table.concat(rest, ' ') end
end

-- Remembers how large parties get: so many slots a loss may have forgotten.
local function largest(state, size)
  if size > number(state, 'largest') then redis.call('HSET', state, 'largest', size) end
end

-- Whether a tag is one of the members; of a place of one it is '0'.
local function is_member(members, tag)
  return without(members or '0', tag) ~= nil
end

-- What counts a sale's slots, read at once: each call to Redis costs 1 us, and 4
-- where a script comes seldom. A field that is not there is false.
local STATE = { 'version', 'run_id', 'life', 'claim', 'session', 'close', 'open', 'end', 'last_offer', 'max_in_use', 'bucket', 'bucket_at',
  'ghosts', 'ghosts_until', 'missed', 'claimed', 'gauge', 'friends', 'brought', 'holder', 'held_since', 'saver', 'saved',
  'limit', 'limit_since', 'limit_from', 'limit_max', 'found_at', 'limits_run', 'term', 'auto_why', 'board',
  'lanes', 'turns', 'leads', 'bypass' }

-- What is steered live, and what a field counts as that was never set. Times are
-- those of the sale's document until they are steered, and so are shares. The last two of the
-- bounds are ropeline.MaxCap and MaxRate.
local LIMITS = { 'cap', 'rate', 'mode', 'reason', 'session', 'claim', 'auto', 'shares', 'min_cap', 'max_cap', 'min_rate', 'max_rate', 'version', 'stopped' }
local STOCK = { 'doc', 'supports', 'engaged' }
local UNSET = { cap = '0', rate = '0', mode = 'run', reason = '', auto = '', shares = '', min_cap = '0', max_cap = '10000000', min_rate = '0',
  max_rate = '10000000', version = '0', stopped = '0' }

local function fields_into(s, key, names)
  for i, value in ipairs(redis.call('HMGET', key, unpack(names))) do s[names[i]] = value end
end

-- The shares of lanes as the document has them, as JSON with sorted names; '' where
-- there are none. A field of the limits like any other, that may be expected.
local function shares_text(lanes)
  local all = {}
  for name, share in string.gmatch(lanes or '', '(%S+) (%d+) %d+') do
    if name ~= 'main' then all[#all + 1] = '"' .. name .. '":' .. share end
  end
  table.sort(all)
  return #all > 0 and '{' .. table.concat(all, ',') .. '}' or ''
end

-- The lanes with other shares, as the document would have them: the main lane has
-- what is left, and a turn costs the least common multiple by the share.
local function share_out(lanes, shares)
  local of, common, parts = cjson.decode(shares), 1, {}
  of.main = 100
  for name in string.gmatch(lanes, '(%S+) %d+ %d+') do
    if name ~= 'main' then of.main = of.main - of[name] end
  end
  for _, share in pairs(of) do
    local a, b = common, share
    while b > 0 do a, b = b, a % b end
    common = common / a * share
  end
  for name in string.gmatch(lanes, '(%S+) %d+ %d+') do
    parts[#parts + 1] = name .. ' ' .. text(of[name]) .. ' ' .. text(common / of[name])
  end
  return table.concat(parts, ' ')
end

local function read_sale(state, limits, offered, active, stock)
  local s = { offered = redis.call('ZCARD', offered), active = redis.call('ZCARD', active), live = {} }
  fields_into(s, state, STATE)
  fields_into(s.live, limits, LIMITS)
  if stock then fields_into(s, stock, STOCK) end
  for name, value in pairs(UNSET) do s.live[name] = s.live[name] or value end
  s.live.session, s.live.claim = s.live.session or s.session or '0', s.live.claim or s.claim or '0'
  s.cap, s.rate, s.mode = s.live.cap, s.live.rate, s.live.mode
  if s.lanes and s.live.shares ~= '' then
    s.lanes = share_out(s.lanes, s.live.shares)
  else
    s.live.shares = shares_text(s.lanes)
  end
  return s
end

-- A time of a sale (s) as it was steered, else as the document says.
local function live_time(limits, state, name)
  return tonumber(redis.call('HGET', limits, name) or redis.call('HGET', state, name) or '0')
end

-- An error with the reason while the sale is stopped, else nil.
local function stopped(limits)
  local l = redis.call('HMGET', limits, 'mode', 'reason')
  if l[1] == 'stop' then return redis.error_reply('STOPPED ' .. (l[2] or '')) end
end

-- The time (ms) by which turns and slots run out. It stands still while the sale
-- is stopped: nobody can use theirs then.
local function turn_time(live, ms) return live.mode == 'stop' and tonumber(live.stopped) or ms end

-- Moves the deadlines of all slots by so many ms. Cost 3 us each.
local function move_deadlines(offered, active, by, until_)
  local slots = redis.call('ZRANGE', offered, 0, -1, 'WITHSCORES')
  for i = 1, #slots, 2 do redis.call('ZADD', offered, slots[i + 1] + by, slots[i]) end
  slots = redis.call('ZRANGE', active, 0, -1, 'WITHSCORES')
  for i = 1, #slots, 2 do redis.call('ZADD', active, until_(slots[i], tonumber(slots[i + 1])), slots[i]) end
end

-- Ends a stop: deadlines move along by as long as it took, but no slot past the
-- end of its session.
local function end_stop(offered, active, sessions, by)
  move_deadlines(offered, active, by, function(slot, before)
    local ends = string.match(redis.call('HGET', sessions, string.match(slot, '^[^#]+')) or '', '^%S+ %d+ %d+ (%d+) ')
    return math.max(before, math.min(before + by, tonumber(ends or '0') * 1000))
  end)
end

-- Writes limits back, a table of texts, as the change of that id left them, nil if it
-- is not known. A time or shares that are the document's are not kept: they follow
-- it. Where the end of a stop was lost, it is over now.
local function put_limits(state, limits, offered, active, sessions, to, change, ms)
  local was = redis.call('HMGET', limits, 'mode', 'stopped', 'shares')
  for name, value in pairs(to) do
    local document = (name == 'session' or name == 'claim') and redis.call('HGET', state, name)
    if name == 'shares' then document = shares_text(redis.call('HGET', state, 'lanes')) end
    if value == document then redis.call('HDEL', limits, name) else redis.call('HSET', limits, name, value) end
  end
  if change then redis.call('HSET', limits, 'change', change) else redis.call('HDEL', limits, 'change') end
  if was[3] ~= redis.call('HGET', limits, 'shares') then redis.call('HDEL', state, 'leads') end -- they are told in what turns cost
  if was[1] == 'stop' and to.mode ~= 'stop' then end_stop(offered, active, sessions, math.max(0, ms - tonumber(was[2]))) end
end

-- The stock rule: how many more may be offered for what can still be sold. So many
-- as the stock supports may be offered or in the shop without a basket, and nobody
-- while nothing can be sold. Without a word of the stock there is no such rule.
local function wanted(s)
  local supports = tonumber(s.supports or '')
  if not supports then return math.huge end
  local more = supports + (tonumber(s.engaged or '') or 0) - s.offered - s.active
  -- Whoever has bought goes, and is counted as engaged until the next count: that
  -- is no reason to offer where nothing is left.
  if supports <= 0 then more = math.min(more, 0) end
  return more
end

-- How many more may be offered now, what the rate bucket holds, how many slots
-- are free and for how many more there is stock. The bucket counts in 1/60,000 of a person: a millisecond adds
-- the rate, a person offered costs 60,000. It holds two ticks, so a minute's rate
-- is spread over the minute, and one person more: what is left of one may not be
-- cut off (120 a minute, 0.4 a tick, came out as 100). A party takes what is
-- missing on credit: a bucket that small would never hold enough for it; and so it does of the stock,
-- or the last seat would wait for a party's worth of seats.
-- A server that was just found to have started anew offers nobody for a moment, for it
-- may have lost a change of the limits that edges remember; and nobody before they
-- were compared with the book of changes, however long that takes. Ghosts are slots that may be in use though a loss of Redis forgot them. Where
-- everybody passes there is room for all.
local RECALL = 1000
-- By how much the number of a change is raised that is made before the others were
-- compared with the book: past all that may be missing.
local APART = 1000
local CLOSED = { pause = true, queue = true, stop = true }

local function ghosts_of(s, ms)
  return ms < tonumber(s.ghosts_until or '0') and tonumber(s.ghosts or '0') or 0
end

local function room(s, ms, tick)
  if ms < tonumber(s.open or '0') or ms >= tonumber(s['end'] or '0') or CLOSED[s.mode] then return 0, 0, 0, 0 end
  if s.limits_run ~= run_id() or ms - tonumber(s.found_at or '0') < RECALL then return 0, 0, 0, 0 end
  if s.mode == 'pass' then return 1000000, 1e15, 1e9, 1e9 end
  local cap, rate = tonumber(s.cap or '0'), tonumber(s.rate or '0')
  local fresh = math.max(0, ms - tonumber(s.bucket_at or ms)) * rate
  local bucket = math.min(tonumber(s.bucket or '0') + fresh, 60000 + 2 * tick * rate)
  local free = cap - s.offered - s.active - ghosts_of(s, ms)
  local people = wanted(s)
  return math.max(0, math.min(free, math.floor(bucket / 60000), people)), bucket, free, people
end

-- The proof that the cap holds, for the stretch of time in which a limit does:
-- since when (us), how many were in use then (or may have been: ghosts count) and
-- the most since. Whoever changes the limit begins a new stretch before anybody is
-- offered. Nothing is limited, -1, where everybody passes.
local function prove(s, now)
  local limit, in_use = s.mode == 'pass' and -1 or tonumber(s.cap), s.offered + s.active
  if not s.limit or tonumber(s.limit) ~= limit then
    s.limit, s.limit_since, s.limit_from, s.limit_max = limit, text(now), in_use + ghosts_of(s, math.floor(now / 1000)), in_use
  end
  s.limit_max = math.max(in_use, tonumber(s.limit_max))
  return 'limit', s.limit, 'limit_since', s.limit_since, 'limit_from', s.limit_from, 'limit_max', s.limit_max
end

-- The lanes of a sale: of each what a turn of it costs, how far it is ahead of its
-- share, and how many people it was given. A sale with one has one that costs 1.
local function read_lanes(s)
  local lanes = {}
  for cost in string.gmatch(s.lanes or 'main 100 1', '%S+ %d+ (%d+)') do
    lanes[#lanes + 1] = { cost = tonumber(cost), lead = 0, people = 0 }
  end
  for field, of in pairs({ lead = s.leads or '', people = s.turns or '' }) do
    local i = 0
    for n in string.gmatch(of, '%d+') do
      i = i + 1
      if lanes[i] then lanes[i][field] = tonumber(n) end
    end
  end
  return lanes
end

-- One field of all lanes, as a text.
local function lanes_text(lanes, field)
  local all = {}
  for i, lane in ipairs(lanes) do all[i] = text(lane[field]) end
  return table.concat(all, ' ')
end

-- Keeps what a tick changed of a sale: the bucket, the most that ever was in use
-- and, each second and when somebody was offered, the pace.
local function keep_tick(s, now, bucket, made, state, pace)
  local ms, before = math.floor(now / 1000), tonumber(s.bucket_at or '0')
  s.max_in_use = math.max(s.offered + s.active, tonumber(s.max_in_use or '0'))
  s.last_offer = s.last_offer or '0'
  if s.mode == 'pass' then bucket = 0 end
  redis.call('HSET', state, 'last_offer', s.last_offer, 'bucket', text(bucket), 'bucket_at', ms, 'max_in_use', s.max_in_use, prove(s, now))
  if made > 0 or math.floor(ms / 1000) ~= math.floor(before / 1000) then keep_pace(pace, now, tonumber(s.last_offer)) end
end

-- A sale's capacity as an edge sees it, in the order that Go's readState
-- expects.
local function describe(s, now, active, pace)
  local age, before = minute_ago(pace, now)
  local expiry = s.active > 0 and redis.call('ZRANGE', active, 0, 0, 'REV', 'WITHSCORES')[2] or '0'
  local ghosts = ghosts_of(s, math.floor(now / 1000))
  return {
    text(now), s.run_id or '', s.last_offer or '0', s.close or '0', s.open or '0', s['end'] or '0', s.max_in_use or '0', ghosts,
    s.missed or '0', s.claimed or '0', s.offered, s.active, expiry, age, before, s.gauge or '', s.friends or '0', s.brought or '0', s.board or '0',
    s.limit or '0', s.limit_since or '0', s.limit_from or '0', s.limit_max or '0',
    s.cap, s.rate, s.mode, s.live.reason, s.live.session, s.live.claim, s.live.auto, s.live.shares,
    s.live.min_cap, s.live.max_cap, s.live.min_rate, s.live.max_rate, s.live.version, s.live.stopped, s.doc or '', s.term or '0', s.auto_why or '',
    s.lanes or '', s.turns or '', s.bypass or '',
  }
end

-- A line, read at once, in a table; or an error as of unsettled.
local LINE = { 'close', 'run_id', 'settling', 'epoch', 'seq', 'drawn', 'cursor', 'cursor_score', 'gone', 'late_seq', 'losses', 'departures' }

local function read_line(line)
  local l = {}
  fields_into(l, line, LINE)
  if not l.close then return l, redis.error_reply('SALE not published') end
  if l.settling or l.run_id ~= run_id() then return l, redis.error_reply('SETTLING the line is being put together again') end
  return l
end

-- A line as an edge sees it, in the order that Go's readStand expects.
local function describe_line(l, order, collected, comebacks, late)
  return {
    l.epoch or '', l.seq or '0', l.drawn or '0', l.settling and 1 or 0, l.cursor or '0', l.cursor_score or '0', l.gone or '0', l.late_seq or '0',
    redis.call('ZCARD', order), redis.call('SCARD', collected), redis.call('ZCARD', comebacks), redis.call('ZCARD', late), l.losses or '0',
    l.departures or '0',
  }
end

-- The newest generation of a place that moves between devices, where a ticket
-- carries this one: 0 for one that never did. Only a loss makes it the ticket's.
local function newest(generations, place, carried)
  local known = number(generations, place)
  if carried <= known then return known end
  redis.call('HSET', generations, place, carried)
  return carried
end

-- Whether a place was offered, unless it waits for its turn once more.
local function had_turn(numbers, place)
  local n = redis.call('HGET', numbers, place)
  return n and string.sub(n, -1) ~= 'c'
end

-- The re-entry pass of a place: how many it ever had, what of the last one (open,
-- used, void) and of which session that was; 0 if it had none.
local function pass_of(passes, place)
  local had, how, of = string.match(redis.call('HGET', passes, place) or '', '^(%d) (%a+) (%S+)$')
  return tonumber(had or '0'), how, of
end

-- Takes the open pass of a place away.
local function void_pass(passes, place)
  local had, how, of = pass_of(passes, place)
  if how == 'open' then redis.call('HSET', passes, place, had .. ' void ' .. of) end
end

-- Counts a pass that was given or used. The public hears of it at most once a
-- minute; the next word, and the counts of each minute, have what is missing.
local function count_reentry(counts, state, events, now, what)
  redis.call('HINCRBY', counts, what, 1)
  local minute = math.floor(now / 60000000)
  if number(state, 'reentry_told') == minute then return end
  redis.call('HSET', state, 'reentry_told', minute)
  tell(events, now, 'reentry', { passes = number(counts, 'passes'), reentries = number(counts, 'reentries') })
end
