-- Says how many of a line stand before places of the sale's other lines, for
-- good: who joins later comes behind them, even if this server's clock is behind
-- that which gave the scores.
-- KEYS 1 line  2 order
-- ARGV 1 (clock, unused)  2.. score and place in turns
-- Returns {epoch or '' if there is no order yet, then the number for each
-- place}, or the error SALE or SETTLING.
-- Cost O(log N) a place: 2 us.
local refused = unsettled(KEYS[1])
if refused then return refused end
local l = redis.call('HMGET', KEYS[1], 'epoch', 'floor')
local reply = { l[1] or '' }
local floor, highest = tonumber(l[2] or '0'), nil
for i = 2, #ARGV, 2 do
  reply[#reply + 1] = l[1] and up_to(KEYS[2], ARGV[i], ARGV[i + 1]) or 0
  local score = tonumber(ARGV[i])
  if score > floor then floor, highest = score, ARGV[i] end
end
-- What this line gave itself is behind that in any case.
if highest and floor > (tail(KEYS[2]) or 0) then redis.call('HSET', KEYS[1], 'floor', highest) end
return reply
