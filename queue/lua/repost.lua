-- Puts back on a sale's board what its server has lost, from what an edge
-- remembers. Of what several remember the newest wins.
-- KEYS 1 state  2 board
-- ARGV 1 clock (us) or ''  2 the board's number  3.. what, and its number and text
-- Returns 1, or 0 if the sale is not there.
-- Cost O(1) an item.
if not redis.call('HGET', KEYS[1], 'version') then return 0 end
for i = 3, #ARGV, 2 do
  local there = tonumber(string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^%d+')) or 0
  if tonumber(string.match(ARGV[i + 1], '^%d+')) > there then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
if tonumber(ARGV[2]) > number(KEYS[1], 'board') then redis.call('HSET', KEYS[1], 'board', ARGV[2]) end
return 1
