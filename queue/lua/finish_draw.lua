-- Ends the draw: the drawn lobby becomes the line, who joined meanwhile is
-- appended, who left meanwhile departs, and ordinals exist from here on.
-- KEYS 1 line  2 drawing  3 order  4 collected  5 pending  6 quit  7 departed
--      8 entrants: who took part, kept for those who check the draw
-- ARGV 1 clock (us) or ''  2 epoch  3 root that the scores are of
-- Returns 1 if this call ended it, 0 if it had ended, or the errors OPEN (the
-- lobby has not closed) and MISMATCH: the drawing is not of these entrants and
-- is thrown away (draw again; it is deterministic).
-- Cost O(joins and leaves during the draw * log N).
local refused = unsettled(KEYS[1])
if refused then return refused end
if number(KEYS[1], 'drawn') == 1 then
  redis.call('UNLINK', KEYS[2]) -- of a second drawer that was slower
  return 0
end
local now = clock()
if now < number(KEYS[1], 'close') * 1000 then return redis.error_reply('OPEN the lobby has not closed') end
local entrants = redis.call('SCARD', KEYS[4])
if redis.call('ZCARD', KEYS[2]) ~= entrants or redis.call('HGET', KEYS[1], 'bound') ~= ARGV[3] then
  redis.call('UNLINK', KEYS[2])
  return redis.error_reply('MISMATCH the drawing is not of these entrants')
end
if entrants > 0 then redis.call('RENAME', KEYS[2], KEYS[3]) end

for _, place in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
  redis.call('ZADD', KEYS[3], redis.call('ZSCORE', KEYS[5], place), place)
end
local gone = 0
for _, place in ipairs(redis.call('SMEMBERS', KEYS[6])) do
  local rank = redis.call('ZRANK', KEYS[3], place)
  if rank and redis.call('SETBIT', KEYS[7], rank, 1) == 0 then gone = gone + 1 end
end
if entrants > 0 then redis.call('RENAME', KEYS[4], KEYS[8]) end
redis.call('UNLINK', KEYS[5]) -- not who left: that is final, whatever ticket comes after a loss
redis.call('HSET', KEYS[1], 'drawn', 1, 'epoch', ARGV[2], 'epoch_at', math.floor(now / 1000), 'cursor', 0, 'cursor_score', 0, 'gone', gone)
return 1
