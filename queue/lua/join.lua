-- Puts places into the line, in the order given. Idempotent: a place that is
-- there already stays where it is, and a visitor who has a place keeps it.
-- KEYS 1 line  2 order  3 collected  4 pending  5 visitors  6 edges
--      7 presence bitmap of the edge
-- ARGV 1 clock (us) or ''  2 edge  3.. place id and visitor ('' for none), in turns
-- Returns {'run', ordinal, score, epoch} if all are new in the line: their
-- ordinals and scores follow each other; else one answer a place: 'new <ordinal>
-- <score> <epoch>', 'collected' (new, in the lobby), 'pending <score>' (new, while the
-- draw runs), 'known' (was there before), 'visitor <place>' (the place that
-- this visitor has); or the error SALE, SETTLING or ENDED.
-- Cost O(log N) a place; see docs/benchmarks.md.
local refused = unsettled(KEYS[1])
if refused then return refused end
local now = clock()
local close = number(KEYS[1], 'close')
if now >= number(KEYS[1], 'end') * 1000 then return redis.error_reply('ENDED the sale is over') end
redis.call('ZADD', KEYS[6], math.floor(now / 1000), ARGV[2])

-- The place that a visitor has already; nil if the visitor has none, who then
-- has this one.
local function other(place, visitor)
  if visitor == '' or redis.call('HSETNX', KEYS[5], visitor, place) == 1 then return nil end
  local has = redis.call('HGET', KEYS[5], visitor)
  return has ~= place and 'visitor ' .. has or nil
end

local answers = {}

if number(KEYS[1], 'drawn') == 0 then
  local lobby = now < close * 1000
  local last = tail(KEYS[4])
  for i = 3, #ARGV, 2 do
    local place = ARGV[i]
    local answer = other(place, ARGV[i + 1])
    if answer then
      -- nothing to do
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
    answers[#answers + 1] = answer
  end
  return answers
end

-- Who joins is here: a place without presence would be passed over.
local function attend(from, to) -- ordinals, to exclusive
  while from < to and from % 8 ~= 0 do
    redis.call('SETBIT', KEYS[7], from, 1)
    from = from + 1
  end
  local bytes = math.floor((to - from) / 8)
  if bytes > 0 then
    redis.call('SETRANGE', KEYS[7], from / 8, string.rep('\255', bytes))
    from = from + bytes * 8
  end
  while from < to do
    redis.call('SETBIT', KEYS[7], from, 1)
    from = from + 1
  end
end

local size, epoch = redis.call('ZCARD', KEYS[2]), redis.call('HGET', KEYS[1], 'epoch')
local first = arrival(now, close, tail(KEYS[2]))
local members, fresh = {}, {}
for i = 3, #ARGV, 2 do
  local answer = other(ARGV[i], ARGV[i + 1])
  answers[#answers + 1] = answer or ''
  if not answer then
    fresh[#fresh + 1] = #answers
    members[#members + 1] = text(first + #fresh - 1)
    members[#members + 1] = ARGV[i]
  end
end
if #fresh == 0 then return answers end
if redis.call('ZADD', KEYS[2], 'NX', unpack(members)) == #fresh then
  attend(size, size + #fresh)
  if #fresh == #answers then return { 'run', size, text(first), epoch } end
  for n, i in ipairs(fresh) do answers[i] = string.format('new %.0f %.0f %s', size + n - 1, first + n - 1, epoch) end
  return answers
end
-- Some were there before, so the others are not one behind the other.
for n, i in ipairs(fresh) do
  local place = members[2 * n]
  local rank = redis.call('ZRANK', KEYS[2], place)
  if rank < size then
    answers[i] = 'known'
  else
    answers[i] = string.format('new %.0f %.0f %s', rank, redis.call('ZSCORE', KEYS[2], place), epoch)
    redis.call('SETBIT', KEYS[7], rank, 1)
  end
end
return answers
