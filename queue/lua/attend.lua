-- An edge says that it lives, who has come to it and who has gone, and takes
-- back who was passed over and is here again.
-- KEYS 1 line  2 order  3 departed  4 comebacks  5 edges  6 reported
--      7 presence bitmap of the edge  8 passed  9 keepers
-- ARGV 1 clock (us) or ''  2 edge  3 epoch of the ordinals  4 1 if with this
--      call all of them are told  5 how many came  6 how many went
--      7.. ordinals that came, ordinals that went, then place and grace (ms) of
--      those who are back
-- Returns {how many of those back were taken}, or the error SALE, SETTLING or
-- EPOCH: the ordinals are of another one.
-- Cost O(1) an ordinal.
local l, refused = read_line(KEYS[1])
if refused then return refused end
local ms = math.floor(clock() / 1000)
local comes = redis.call('ZADD', KEYS[5], ms, ARGV[2]) == 1
-- The clock was set back: an edge that has died since would be counted for as long.
for _, edge in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. ms, '+inf')) do redis.call('ZADD', KEYS[5], ms, edge) end
if comes then -- and so there may be some that are gone, for an hour
  for _, edge in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', ms - 3600000, 'LIMIT', 0, 10)) do
    redis.call('ZREM', KEYS[5], edge)
    redis.call('HDEL', KEYS[6], edge)
    redis.call('UNLINK', string.sub(KEYS[7], 1, -#ARGV[2] - 1) .. edge)
  end
end
if ARGV[3] ~= (l.epoch or '') then return redis.error_reply('EPOCH another one') end
if not l.epoch then return { 0 } end -- nobody has an ordinal yet
local cursor = tonumber(l.cursor or '0')
local came, went = tonumber(ARGV[5]), tonumber(ARGV[6])
for i = 7, 6 + came do redis.call('SETBIT', KEYS[7], ARGV[i], 1) end
for i = 7 + came, 6 + came + went do redis.call('SETBIT', KEYS[7], ARGV[i], 0) end
if ARGV[4] == '1' then redis.call('HSET', KEYS[6], ARGV[2], l.epoch) end

local back = 0
for i = 7 + came + went, #ARGV, 2 do
  local place = ARGV[i]
  local rank = redis.call('ZRANK', KEYS[2], place)
  if rank and rank < cursor and redis.call('GETBIT', KEYS[3], rank) == 0 then
    local passed = redis.call('ZRANGEBYSCORE', KEYS[8], '(' .. rank, '+inf', 'LIMIT', 0, 1)[1]
    if passed and ms - tonumber(passed) * 1000 <= tonumber(ARGV[i + 1]) then
      back = back + redis.call('ZADD', KEYS[4], 'NX', redis.call('ZSCORE', KEYS[2], place), place)
      redis.call('HSET', KEYS[9], place .. ' ' .. ARGV[2], 1) -- at once: an edge that the fan left may take it off
    end
  end
end
return { back }
