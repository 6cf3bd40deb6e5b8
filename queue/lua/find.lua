-- Says where places stand in their line. Changes nothing.
-- KEYS 1 line  2 order  3 collected  4 pending  5 departed  6 quit
--      7 comebacks  8 late  9 passed
-- ARGV 1 clock (us) or ''  2.. place ids
-- Returns {epoch, cursor, then for each place: what, rank, score, since}, or
-- the error SALE. What is one of
--   ''          unknown
--   'lobby'     collected; with a score if it joined while the draw ran
--   'left'      has given the place up
--   'line'      stands in the line at that rank
--   'late'      stands beside the line, before that rank
--   'comeback'  was passed over and is back, before everybody
--   'settling'  not known to have left; more can be said when the line settled
-- since is the ms at which the cursor passed the place, 0 if it did not, -1 if
-- that was too long ago to know.
-- Cost O(log N) a place.
local l = redis.call('HMGET', KEYS[1], 'epoch', 'cursor', 'close', 'run_id', 'settling')
if not l[3] then return redis.error_reply('SALE not published') end
local settling = l[5] or l[4] ~= run_id()
local cursor = tonumber(l[2] or '0')
local reply = { l[1] or '', cursor }

local function add(what, rank, score, since)
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = what, rank, score, since
end

for i = 2, #ARGV do
  local place = ARGV[i]
  local rank = redis.call('ZRANK', KEYS[2], place)
  if settling then
    local left = redis.call('SISMEMBER', KEYS[6], place) == 1 or rank and redis.call('GETBIT', KEYS[5], rank) == 1
    add(left and 'left' or 'settling', -1, '', 0)
  elseif rank then
    local score = redis.call('ZSCORE', KEYS[2], place)
    if redis.call('GETBIT', KEYS[5], rank) == 1 then
      add('left', rank, score, 0)
    elseif rank >= cursor then
      add('line', rank, score, 0)
    elseif redis.call('ZSCORE', KEYS[7], place) then
      add('comeback', rank, score, 0)
    else
      local passed = redis.call('ZRANGEBYSCORE', KEYS[9], '(' .. rank, '+inf', 'LIMIT', 0, 1)[1]
      add('line', rank, score, passed and tonumber(passed) * 1000 or -1)
    end
  elseif redis.call('SISMEMBER', KEYS[6], place) == 1 then
    add('left', -1, '', 0)
  elseif redis.call('SISMEMBER', KEYS[3], place) == 1 then
    add('lobby', -1, '', 0)
  else
    local pending, late, back = redis.call('ZSCORE', KEYS[4], place), redis.call('ZSCORE', KEYS[8], place), redis.call('ZSCORE', KEYS[7], place)
    if pending then
      add('lobby', -1, pending, 0)
    elseif late then
      add('late', up_to(KEYS[2], late, place), late, 0)
    elseif back then
      add('comeback', 0, back, 0)
    else
      add('', -1, '', 0)
    end
  end
end
return reply
