-- Moves a line on after its front was offered, and describes it. A party that
-- did not fit for too long steps aside: it stands before everybody then, and
-- the next go first.
-- KEYS 1 line  2 order  3 collected  4 departed  5 left  6 comebacks  7 late
--      8 passed
-- ARGV 1 clock (us) or ''  2 score and  3 id of the last place of the sale's
--      lines that was offered or steps aside, or '': the cursor goes past
--      everybody up to there. The score of one of this line may be '?'  4 size of the line when its front was read: it goes
--      no further  5 most departures told  6 how many rows of ordinals follow  7 how
--      many places step aside  8.. of each unbroken row of ordinals that were offered
--      the first and how many it has, the places that step aside, then the places
--      beside the line that were offered
-- Returns {line as describe_line tells, ordinals that left since the last call,
-- the ordinals that were offered although they had left meanwhile}, or the error
-- SALE or SETTLING. Monotone and so repeatable, but for what it tells.
-- Cost O(log N) an offer beside the line.
local l, refused = read_line(KEYS[1])
if refused then return refused end
local from, to, score = tonumber(l.cursor or '0'), 0, ARGV[2]
if score == '?' then score = redis.call('ZSCORE', KEYS[2], ARGV[3]) or '' end
if score ~= '' then to = math.min(up_to(KEYS[2], score, ARGV[3]), tonumber(ARGV[4])) end
-- In a line whose cursor stays, too: after a loss it says who had a turn.
if score ~= '' and tonumber(score) > tonumber(l.cursor_score or '0') then
  l.cursor_score = score
  redis.call('HSET', KEYS[1], 'cursor_score', score)
end
if to > from then
  l.cursor, l.gone = to, tonumber(l.gone or '0') - redis.call('BITCOUNT', KEYS[4], from, to - 1, 'BIT')
  redis.call('HSET', KEYS[1], 'cursor', to)
  redis.call('HSET', KEYS[1], 'gone', l.gone)
  -- When the cursor passed whom, to the second, for an hour.
  redis.call('ZADD', KEYS[8], to, math.floor(clock() / 1000000))
  if redis.call('ZCARD', KEYS[8]) > 3700 then redis.call('ZREMRANGEBYRANK', KEYS[8], 0, 99) end
end

local at, aside = 8 + 2 * tonumber(ARGV[6]), tonumber(ARGV[7])
local withdrawn, moved = {}, 0
for i = 8, at - 1, 2 do
  local first = tonumber(ARGV[i])
  local last = first + tonumber(ARGV[i + 1]) - 1
  if redis.call('BITCOUNT', KEYS[4], first, last, 'BIT') > 0 then
    for ordinal = first, last do
      if redis.call('GETBIT', KEYS[4], ordinal) == 1 then withdrawn[#withdrawn + 1] = ordinal end
    end
  end
end
for i = at, at + aside - 1 do
  local place = ARGV[i]
  local rank, late = redis.call('ZRANK', KEYS[2], place), redis.call('ZSCORE', KEYS[7], place)
  local living = rank and redis.call('GETBIT', KEYS[4], rank) == 0
  if living or late then redis.call('ZADD', KEYS[6], 'NX', late or redis.call('ZSCORE', KEYS[2], place), place) end
  moved = moved + redis.call('ZREM', KEYS[7], place)
end
for i = at + aside, #ARGV do
  redis.call('ZREM', KEYS[6], ARGV[i])
  moved = moved + redis.call('ZREM', KEYS[7], ARGV[i])
end
if moved > 0 then l.late_seq = redis.call('HINCRBY', KEYS[1], 'late_seq', 1) end

l.seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local gone = redis.call('LPOP', KEYS[5], tonumber(ARGV[5])) or {}
return { describe_line(l, KEYS[2], KEYS[3], KEYS[6], KEYS[7]), gone, withdrawn }
