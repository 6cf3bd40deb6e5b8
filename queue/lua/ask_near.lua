-- Keeps whom to tell when the turn of a place is near. Of one place there is one.
-- KEYS 1 asked  2 asking  3 state  4 neared
-- ARGV 1 clock (us) or ''  2 place  3 the address, sealed  4 how many are kept at most
-- Returns 1, or the error SALE, ENDED, NEARED or FULL. All of it is forgotten at the
-- end of the sale, whoever lives then.
-- Cost O(log N).
local ends = number(KEYS[3], 'end')
if ends == 0 then return redis.error_reply('SALE not published') end
local ms = math.floor(clock() / 1000)
if ms >= ends then return redis.error_reply('ENDED the sale is over') end
local place = ARGV[2]
if redis.call('SISMEMBER', KEYS[4], place) == 1 then return redis.error_reply('NEARED it was told') end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) and redis.call('HEXISTS', KEYS[1], place) == 0 then return redis.error_reply('FULL so many have asked') end
redis.call('HSET', KEYS[1], place, ARGV[3])
redis.call('ZADD', KEYS[2], ms, place)
for i = 1, 2 do redis.call('PEXPIREAT', KEYS[i], ends) end
return 1
