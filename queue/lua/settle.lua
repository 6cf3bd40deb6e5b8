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

if not take_out_departed(KEYS[1], KEYS[2], KEYS[3], KEYS[5], tonumber(ARGV[6]), ms) then return 'settling' end
if ms < tonumber(l[3]) then -- the clock was set back
  redis.call('HSET', KEYS[1], 'settling', ms, 'settle_last', ms)
  return 'settling'
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
-- Whoever registered places will also say who of them is present: see front.lua.
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'epoch_at', ms, 'heard_from', l[3], 'gone', 0, 'cursor', cursor)
redis.call('HINCRBY', KEYS[1], 'late_seq', 1)
return 'settled'
