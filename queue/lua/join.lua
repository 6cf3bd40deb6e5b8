-- Puts places into the line, in the order given. Idempotent: a place that is
-- there already stays where it is, and a visitor who has a place keeps it.
-- KEYS 1 line  2 order  3 collected  4 pending  5 visitors  6 edges
--      7 presence bitmap of the edge  8 quit
-- ARGV 1 clock (us) or ''  2 edge  3 place ids, each with a space behind it
--      4.. their visitors in the same order ('' for none); nothing if nobody
--      has one
-- Returns {'run', ordinal, score, epoch} if all are new in the line: their
-- ordinals and scores follow each other; else one answer a place: 'new <ordinal>
-- <score> <epoch>', 'collected' (new, in the lobby), 'pending <score>' (new, while the
-- draw runs), 'known' (was there before), 'visitor <place>' (the place that
-- this visitor has); or the error SALE, SETTLING or ENDED.
-- Cost O(log N) a place: 2 to 3 us; see docs/benchmarks.md. The ids come as one
-- string, and scores go to Redis as numbers, because an argument more a place,
-- or a string made of a score, costs as much as half of the ZADD.
local refused = unsettled(KEYS[1])
if refused then return refused end
local now = clock()
local close = number(KEYS[1], 'close')
if now >= number(KEYS[1], 'end') * 1000 then return redis.error_reply('ENDED the sale is over') end
redis.call('ZADD', KEYS[6], math.floor(now / 1000), ARGV[2])

-- The place that a visitor has already; nil if the visitor has none, who then
-- has this one.
local function other(place, visitor)
  if not visitor or visitor == '' or redis.call('HSETNX', KEYS[5], visitor, place) == 1 then return nil end
  local has = redis.call('HGET', KEYS[5], visitor)
  return has ~= place and 'visitor ' .. has or nil
end

-- Whether this is an attempt again whose place was given up, which is for ever.
local quits = redis.call('EXISTS', KEYS[8]) == 1
local function quit(place) return quits and redis.call('SISMEMBER', KEYS[8], place) == 1 end

local places, at, ids = {}, 1, ARGV[3]
while at <= #ids do
  local space = string.find(ids, ' ', at, true)
  places[#places + 1] = string.sub(ids, at, space - 1)
  at = space + 1
end

local answers = {}

if number(KEYS[1], 'drawn') == 0 then
  local lobby = now < close * 1000
  local last = tail(KEYS[4])
  for i, place in ipairs(places) do
    local answer = other(place, ARGV[3 + i])
    if answer then
      -- nothing to do
    elseif quit(place) then
      answer = 'known'
    elseif last and redis.call('ZSCORE', KEYS[4], place) then
      answer = 'known' -- the lobby is open again: its clock was set back
    elseif lobby then
      answer = redis.call('SADD', KEYS[3], place) == 1 and 'collected' or 'known'
    elseif redis.call('SISMEMBER', KEYS[3], place) == 1 then
      answer = 'known'
    else
      -- The draw is under way: it must not find this place among the lobby's.
      local score = arrival(now, close, last)
      if redis.call('ZADD', KEYS[4], 'NX', text(score), place) == 1 then
        last, answer = score, 'pending ' .. text(score)
      else
        answer = 'known'
      end
    end
    answers[i] = answer
  end
  return answers
end

-- Who joins is here: a place without presence would be passed over.
local function mark(from, bits) -- at most 63
  if bits > 0 then redis.call('BITFIELD', KEYS[7], 'SET', 'u' .. bits, from, 2 ^ bits - 1) end
end
local function attend(from, to) -- ordinals, to exclusive
  local head = math.min(to - from, -from % 8) -- up to a whole byte
  mark(from, head)
  from = from + head
  local bytes = math.floor((to - from) / 8)
  if bytes > 0 then redis.call('SETRANGE', KEYS[7], from / 8, string.rep('\255', bytes)) end
  mark(from + bytes * 8, (to - from) % 8)
end

local size, l = redis.call('ZCARD', KEYS[2]), redis.call('HMGET', KEYS[1], 'epoch', 'cursor', 'gone')
local epoch, empty = l[1], size <= tonumber(l[2] or '0') + tonumber(l[3] or '0') -- nobody waits
local first = arrival(now, close, last_score(KEYS[1], KEYS[2]))
local members, fresh, n = {}, {}, 0
for i, place in ipairs(places) do
  local answer = other(place, ARGV[3 + i]) or quit(place) and 'known'
  if answer then
    answers[i] = answer
  else
    n = n + 1
    fresh[n], members[2 * n - 1], members[2 * n] = i, first + n - 1, place
  end
end
if n == 0 then return answers end
if empty then wake(string.match(KEYS[1], '{(.*)%.%d+}')) end
if redis.call('ZADD', KEYS[2], 'NX', unpack(members)) == n then
  attend(size, size + n)
  if n == #places then return { 'run', size, text(first), epoch } end
  for m, i in ipairs(fresh) do answers[i] = string.format('new %.0f %.0f %s', size + m - 1, first + m - 1, epoch) end
  return answers
end
-- Some were there before, so the others are not one behind the other.
for _, i in ipairs(fresh) do
  local place = places[i]
  local rank = redis.call('ZRANK', KEYS[2], place)
  if rank < size then
    answers[i] = 'known'
  else
    answers[i] = string.format('new %.0f %.0f %s', rank, redis.call('ZSCORE', KEYS[2], place), epoch)
    redis.call('SETBIT', KEYS[7], rank, 1)
  end
end
return answers
