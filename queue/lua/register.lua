-- An edge tells a settling line what it knows of it.
-- KEYS 1 line  2 order  3 collected  4 pending  5 quit  6 visitors  7 departed
--      8 edges
-- ARGV 1 clock (us) or ''  2 edge  3 highest cursor score known  4 1 if the lobby
--      was drawn  5 most places of the departed taken out in this call  6 how many
--      places follow that have left  7.. those, then place, score ('' of a place in
--      the lobby) and visitor ('' for none) in turns
-- Returns how many were not known, or the error SALE, STEADY (it does not settle,
-- or not any more) or SETTLING: others are to be taken out first, try again.
-- Cost O(log N) a place.
local l = redis.call('HMGET', KEYS[1], 'close', 'run_id', 'settling', 'drawn', 'cursor_score')
if not l[1] then return redis.error_reply('SALE not published') end
if not l[3] or l[2] ~= run_id() then return redis.error_reply('STEADY the line does not settle') end
local ms = math.floor(clock() / 1000)
redis.call('ZADD', KEYS[8], ms, ARGV[2])
if tonumber(ARGV[3]) > tonumber(l[5] or '0') then redis.call('HSET', KEYS[1], 'cursor_score', ARGV[3]) end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'drawn', 1) end
if not take_out_departed(KEYS[1], KEYS[2], KEYS[7], KEYS[5], tonumber(ARGV[5]), ms) then
  return redis.error_reply('SETTLING who left is taken out first')
end
local new, left = 0, tonumber(ARGV[6])
for i = 7, 6 + left do
  new = new + redis.call('SADD', KEYS[5], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
for i = 7 + left, #ARGV, 3 do
  local place, score = ARGV[i], ARGV[i + 1]
  if ARGV[i + 2] ~= '' then redis.call('HSETNX', KEYS[6], ARGV[i + 2], place) end
  if redis.call('SISMEMBER', KEYS[5], place) == 1 then
    -- another edge knows that it left
  elseif l[4] == '1' or ARGV[4] == '1' then
    if score ~= '' then new = new + redis.call('ZADD', KEYS[2], 'NX', score, place) end
  elseif score ~= '' then
    new = new + redis.call('ZADD', KEYS[4], 'NX', score, place)
  else
    new = new + redis.call('SADD', KEYS[3], place)
  end
end
if new > 0 then redis.call('HSET', KEYS[1], 'settle_last', ms) end
return new
