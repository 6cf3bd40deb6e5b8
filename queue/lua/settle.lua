-- Puts a line together again after its server started anew or lost its data.
-- While it settles, edges register the places they know and nobody has an
-- ordinal. Call it again and again; it ends when nothing has been registered
-- for a while.
-- KEYS 1 line  2 order  3 departed  4 left  5 quit  6 late  7 passed  8 edges
--      9 reported
-- ARGV 1 clock (us) or ''  2 epoch to use  3 what the names of presence bitmaps
--      begin with  4 least time it takes (ms)  5 quiet time that ends it (ms)
--      6 most places of the departed taken out in this call
-- Returns 'settling', 'settled' (with this call) or 'steady', or the error
-- SALE.
-- Cost O(log N) a departed place; at the end O(log N + late).
local l = redis.call('HMGET', KEYS[1], 'close', 'run_id', 'settling', 'settle_last', 'drawn', 'cursor_score')
if not l[1] then return redis.error_reply('SALE not published') end
local ms, here = math.floor(clock() / 1000), run_id()
if l[2] ~= here then
  redis.call('HSET', KEYS[1], 'run_id', here, 'settling', ms, 'settle_last', ms)
  return 'settling'
end
if not l[3] then return 'steady' end

-- Whoever left is taken out while ordinals still hold: from the back, so that
-- the ordinals of the others do.
local most = tonumber(ARGV[6])
while redis.call('STRLEN', KEYS[3]) > 0 do
  local bytes = redis.call('STRLEN', KEYS[3])
  local chunk = math.max(0, bytes - 64)
  for at = bytes * 8 - 1, chunk * 8, -1 do
    if redis.call('GETBIT', KEYS[3], at) == 1 then
      local place = redis.call('ZRANGE', KEYS[2], at, at)[1]
      redis.call('SADD', KEYS[5], place) -- a leave is final, whatever ticket comes
      redis.call('ZREM', KEYS[2], place)
      most = most - 1
    end
  end
  if chunk == 0 then
    redis.call('DEL', KEYS[3])
  else
    redis.call('SET', KEYS[3], redis.call('GETRANGE', KEYS[3], 0, chunk - 1))
  end
  redis.call('HSET', KEYS[1], 'settle_last', ms)
  if most <= 0 then return 'settling' end
end
if ms - tonumber(l[3]) < tonumber(ARGV[4]) or ms - tonumber(l[4]) < tonumber(ARGV[5]) then return 'settling' end

redis.call('HDEL', KEYS[1], 'settling', 'settle_last', 'bound') -- entrants may be missing: the root is made anew
redis.call('HINCRBY', KEYS[1], 'losses', 1)
if l[5] ~= '1' then return 'settled' end -- the lobby: there is no order to restore
local late = redis.call('ZRANGE', KEYS[6], 0, -1, 'WITHSCORES')
for i = 1, #late, 2 do redis.call('ZADD', KEYS[2], 'NX', late[i + 1], late[i]) end
for _, edge in ipairs(redis.call('ZRANGE', KEYS[8], 0, -1)) do redis.call('UNLINK', ARGV[3] .. edge) end
local score = l[6] or '0'
redis.call('UNLINK', KEYS[4], KEYS[6], KEYS[7], KEYS[9])
local cursor = redis.call('ZCOUNT', KEYS[2], '-inf', score)
-- When the cursor passed whom is forgotten: everybody's right to return begins anew.
redis.call('ZADD', KEYS[7], cursor, math.floor(ms / 1000))
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'epoch_at', ms, 'gone', 0, 'cursor', cursor)
redis.call('HINCRBY', KEYS[1], 'late_seq', 1)
return 'settled'
