-- Changes what may be steered of a sale, all of it or nothing, if the values are
-- still those that were seen and stay within the sale's bounds.
--
-- A stop stops the clock of turns and slots, and its end sets it going again.
-- KEYS 1 state  2 limits  3 offered  4 active  5 sessions  6 events  7 steered
--      8 board
-- ARGV 1 clock (us) or ''  2 id of the change: one that is repeated is answered
--      as before  3 sale  4 who (a role)  5 reason, that of a mode as the public
--      has it  6 changes that are remembered  7 the public reason in all its
--      languages, JSON of a message, or ''  8 1 if it is made on a server that took
--      over just now, too  9 1 if there is a book of changes  10 how many values are
--      expected  11.. fields and the expected values in turns, then fields and values
--      to set
-- Returns {1, or 0 if a value is another one by now, clock (us) when it was
-- changed, then field, value before and value now in turns: of those that are
-- set if it was changed, else of all; and if it was changed, the change for the
-- book}, or the errors SALE (not published),
-- SETTLING, BOUNDS with the field that would pass them, and SHARES with the lanes
-- that there are.
-- Cost O(1); the end of a stop 3 us a slot in use.
local now = clock()
local ms = math.floor(now / 1000)
local s = read_sale(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if not s.version then return redis.error_reply('SALE not published') end
for _, entry in ipairs(redis.call('XRANGE', KEYS[7], '-', '+')) do
  if entry[2][2] == ARGV[2] then return cjson.decode(entry[2][4]) end
end

-- A server that took over may lack a change that edges are about to write back
-- (recall.lua), or the book has. One that is made now would take its number, and one
-- of them be lost: it leaves room for them.
local compared = s.limits_run == run_id() or ARGV[9] ~= '1'
local unsure = s.run_id ~= run_id() or ms - tonumber(s.found_at or '0') < RECALL or not compared
if ARGV[8] ~= '1' and unsure then return redis.error_reply('SETTLING changes of the limits are being put back') end

local was, values = s.live, 11 + 2 * tonumber(ARGV[10])
for i = 11, values - 1, 2 do
  if was[ARGV[i]] ~= ARGV[i + 1] then
    local reply = { 0, text(now) }
    for _, name in ipairs(LIMITS) do
      for _, part in ipairs({ name, was[name], was[name] }) do reply[#reply + 1] = part end
    end
    return reply
  end
end
local to, reply = setmetatable({}, { __index = was }), { 1, text(now) }
for i = values, #ARGV, 2 do
  to[ARGV[i]] = ARGV[i + 1]
  for _, part in ipairs({ ARGV[i], was[ARGV[i]], ARGV[i + 1] }) do reply[#reply + 1] = part end
end
for _, name in ipairs({ 'cap', 'rate' }) do
  local touched = rawget(to, name) or rawget(to, 'min_' .. name) or rawget(to, 'max_' .. name)
  local value = tonumber(to[name])
  if touched and (value < tonumber(to['min_' .. name]) or value > tonumber(to['max_' .. name])) then
    return redis.error_reply('BOUNDS ' .. name .. ' ' .. to['min_' .. name] .. ' ' .. to['max_' .. name])
  end
end
if rawget(to, 'shares') then -- of each lane but the main one, and of no other
  local function names(shares) return (string.gsub(shares, ':%d+', '')) end
  if names(to.shares) ~= names(was.shares) then return redis.error_reply('SHARES ' .. names(was.shares)) end
  redis.call('HDEL', KEYS[1], 'leads') -- they are told in what turns cost
end
if rawget(to, 'mode') then
  to.reason = to.mode == 'run' and '' or ARGV[5]
  if to.mode == 'stop' and was.mode ~= 'stop' then to.stopped = text(ms) end
  if to.mode ~= 'stop' and was.mode == 'stop' then
    end_stop(KEYS[3], KEYS[4], KEYS[5], math.max(0, ms - tonumber(was.stopped)))
  end
end
local said = ARGV[7] ~= '' and cjson.decode(ARGV[7])
if said and rawget(to, 'mode') then post(KEYS[1], KEYS[8], 'pause', ARGV[7], now) end
local apart = not compared and redis.call('HSETNX', KEYS[2], 'apart', was.version) == 1
to.version = text(tonumber(was.version) + (apart and APART or 1))
for name, value in pairs(to) do redis.call('HSET', KEYS[2], name, value) end
redis.call('HSET', KEYS[2], 'change', ARGV[2])
redis.call('HSET', KEYS[1], 'limits_told', to.version)

-- The stretch of the old limit is over; what was proved of it is public.
local limit, since, most = s.limit, s.limit_since, s.limit_max
s.cap, s.mode = to.cap, to.mode
redis.call('HSET', KEYS[1], prove(s, now))
local event, kind = { set = {}, was = {}, by = ARGV[4], version = tonumber(to.version) }, rawget(to, 'mode') and 'mode' or 'limits'
for i = values, #ARGV, 2 do
  local name = ARGV[i]
  if name == 'auto' then -- how it steers is the staff's business
    event.set.auto = ARGV[i + 1] ~= ''
  elseif name == 'shares' then
    event.set.shares, event.was.shares = cjson.decode(ARGV[i + 1]), cjson.decode(was.shares)
  else
    event.set[name], event.was[name] = tonumber(ARGV[i + 1]) or ARGV[i + 1], tonumber(was[name]) or was[name]
  end
end
if kind == 'mode' and to.mode ~= 'run' or said then event.reason = ARGV[5] end
if said then
  event.lang, event.languages = said.default, 0
  for _ in pairs(said.texts) do event.languages = event.languages + 1 end
end
if limit and since ~= s.limit_since then
  event.proof = { limit = tonumber(limit), since_ms = math.floor(tonumber(since) / 1000), max_active = tonumber(most) }
end
tell(KEYS[6], now, kind, event)
local kept = { change = ARGV[2], kind = kind, event = event, words = said and rawget(to, 'mode') and ARGV[7] or '', limits = {} }
for _, name in ipairs(LIMITS) do kept.limits[name] = to[name] end
reply[#reply + 1] = cjson.encode(kept)
redis.call('XADD', KEYS[7], 'MAXLEN', ARGV[6], '*', 'id', ARGV[2], 'reply', cjson.encode(reply))
wake(ARGV[3])
return reply
