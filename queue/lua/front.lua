-- Who stands at the front of a line: present, and not departed. Changes
-- nothing.
-- KEYS 1 line  2 order  3 departed  4 comebacks  5 late  6 edges  7 reported
-- ARGV 1 clock (us) or ''  2 what the names of presence bitmaps begin with
--      3 most of each kind  4 1 if the main line's scores are wanted, too: others
--      are merged with them
-- Returns {main, ordinals, 1 if main has scores, comebacks, late, size of the line,
-- horizon}: of the main line and the others a text each of places and scores in
-- turns, in their order; of the main line's ordinals the first of each unbroken row
-- and how many it has. Scores cost as much as the rest; those of the main line are
-- told where somebody stands beside it, too. The horizon is '' if all were looked
-- at, else the score from which on nobody was; 0 while there is no order, or the
-- edges are still to say who is present in a new epoch. Or the error SALE or
-- SETTLING.
-- Cost 0.2 us an ordinal and edge that is looked at, at most 40 windows of 512;
-- who is absent is jumped over, a million in 10 us.
local refused = unsettled(KEYS[1])
if refused then return refused end
local ms, most = math.floor(clock() / 1000), tonumber(ARGV[3])
local l = redis.call('HMGET', KEYS[1], 'epoch', 'cursor', 'epoch_at', 'heard_from')
if not l[1] then return { '', '', 1, '', '', 0, '0' } end

-- An edge looks up the ordinals of all its places when the epoch is new. Whoever
-- it has not reported yet would be passed over. While a line settles an edge says
-- that it lives by registering places, and that may be longer ago.
if ms - tonumber(l[3]) < 5000 then
  local from = math.min(ms - 3000, tonumber(l[4] or ms))
  for _, edge in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], from, '+inf')) do
    if redis.call('HGET', KEYS[7], edge) ~= l[1] then return { '', '', 1, '', '', 0, '0' } end
  end
end

local WINDOW = 64 -- bytes
local band, bor, BITS = bit.band, bit.bor, { 128, 64, 32, 16, 8, 4, 2, 1 }
local present = presences(KEYS[6], ARGV[2], ms)
local size = redis.call('ZCARD', KEYS[2])
local at = tonumber(l[2])
local ordinals, found, windows = {}, 0, 0

-- First ordinal >= from with a bit in any presence bitmap, or nil.
local function next_present(from)
  local nearest
  for _, key in ipairs(present) do
    local bit_ = redis.call('BITPOS', key, 1, from, -1, 'BIT')
    if bit_ >= 0 and (not nearest or bit_ < nearest) then nearest = bit_ end
  end
  return nearest
end

-- The ordinals from at to the end of its window who are present and living.
local function look(at_)
  local first = math.floor(at_ / 8)
  local here = {}
  for _, key in ipairs(present) do
    local bytes = { string.byte(redis.call('GETRANGE', key, first, first + WINDOW - 1), 1, -1) }
    for i, b in ipairs(bytes) do here[i] = bor(here[i] or 0, b) end
  end
  local gone = { string.byte(redis.call('GETRANGE', KEYS[3], first, first + WINDOW - 1), 1, -1) }
  for i, b in ipairs(here) do
    b = band(b, 255 - (gone[i] or 0))
    if b ~= 0 then
      for n = 1, 8 do
        local ordinal = (first + i - 1) * 8 + n - 1
        if ordinal >= at_ and ordinal < size and found < most and (b == 255 or band(b, BITS[n]) ~= 0) then
          found = found + 1
          ordinals[found] = ordinal
        end
      end
    end
  end
  return (first + WINDOW) * 8
end

while found < most and windows < 40 do
  local nearest = next_present(at)
  if not nearest or nearest >= size then break end
  local living = next_living(KEYS[3], nearest)
  at = living > nearest and living or look(nearest)
  windows = windows + 1
end

-- Those who stand one behind the other are read at once, and told as one text: of
-- a reply each element costs Redis and the caller as much as its reading.
local scored = ARGV[4] == '1' or redis.call('EXISTS', KEYS[5]) == 1
local texts, rows = {}, {}
local i = 1
while i <= found do
  local j = i
  while ordinals[j + 1] == ordinals[j] + 1 do j = j + 1 end
  local row = scored and redis.call('ZRANGE', KEYS[2], ordinals[i], ordinals[j], 'WITHSCORES') or redis.call('ZRANGE', KEYS[2], ordinals[i], ordinals[j])
  texts[#texts + 1] = table.concat(row, ' ')
  rows[#rows + 1], rows[#rows + 2] = ordinals[i], j - i + 1
  i = j + 1
end
local horizon = windows == 40 and at < size and redis.call('ZRANGE', KEYS[2], at, at, 'WITHSCORES')[2] or ''
local function first(key) return table.concat(redis.call('ZRANGE', key, 0, most - 1, 'WITHSCORES'), ' ') end
return { table.concat(texts, ' '), table.concat(rows, ' '), scored and 1 or 0, first(KEYS[4]), first(KEYS[5]), size, horizon }
