-- An edge tells a settling line what it knows of it.
-- KEYS 1 line  2 order  3 collected  4 pending  5 quit  6 visitors
-- ARGV 1 clock (us) or ''  2 highest cursor score known  3 1 if the lobby was
--      drawn  4 how many places follow that have left  5.. those, then place,
--      score ('' of a place in the lobby) and visitor ('' for none) in turns
-- Returns how many were not known, or the error SALE or STEADY: it does not
-- settle (any more).
-- Cost O(log N) a place.
local l = redis.call('HMGET', KEYS[1], 'close', 'run_id', 'settling', 'drawn', 'cursor_score')
if not l[1] then return redis.error_reply('SALE not published') end
if not l[3] or l[2] ~= run_id() then return redis.error_reply('STEADY the line does not settle') end
if tonumber(ARGV[2]) > tonumber(l[5] or '0') then redis.call('HSET', KEYS[1], 'cursor_score', ARGV[2]) end
if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'drawn', 1) end
local new, left = 0, tonumber(ARGV[4])
for i = 5, 4 + left do
  new = new + redis.call('SADD', KEYS[5], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
for i = 5 + left, #ARGV, 3 do
  local place, score = ARGV[i], ARGV[i + 1]
  if ARGV[i + 2] ~= '' then redis.call('HSETNX', KEYS[6], ARGV[i + 2], place) end
  if redis.call('SISMEMBER', KEYS[5], place) == 1 then
    -- another edge knows that it left
  elseif l[4] == '1' or ARGV[3] == '1' then
    if score ~= '' then new = new + redis.call('ZADD', KEYS[2], 'NX', score, place) end
  elseif score ~= '' then
    new = new + redis.call('ZADD', KEYS[4], 'NX', score, place)
  else
    new = new + redis.call('SADD', KEYS[3], place)
  end
end
if new > 0 then redis.call('HSET', KEYS[1], 'settle_last', math.floor(clock() / 1000)) end
return new
