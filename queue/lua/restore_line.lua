-- Makes a line that its server has lost; it settles from then on. One that
-- settles already learns how far it had come.
-- KEYS 1 line
-- ARGV 1 clock (us) or ''  2 version  3 close  4 end (ms)  5 1 if it was drawn
--      6 number of the last tick known  7 score of its cursor then
-- Returns 1, or 0 if the line is there.
-- Cost O(1).
local there = redis.call('EXISTS', KEYS[1]) == 1
if not there then
  local ms = math.floor(clock() / 1000)
  redis.call('HSET', KEYS[1], 'version', ARGV[2], 'close', ARGV[3], 'end', ARGV[4], 'drawn', ARGV[5], 'run_id', run_id(),
    'seq', ARGV[6] + 1000, 'settling', ms, 'settle_last', ms)
end
if redis.call('HEXISTS', KEYS[1], 'settling') == 1 and tonumber(ARGV[7]) > number(KEYS[1], 'cursor_score') then
  redis.call('HSET', KEYS[1], 'cursor_score', ARGV[7])
end
return there and 0 or 1
