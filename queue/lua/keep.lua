-- An edge says which of those who go before everybody are here with it. One that
-- an edge which the fan left has taken off meanwhile goes before everybody again;
-- if it had its turn, nobody offers it twice.
-- KEYS 1 line  2 order  3 departed  4 comebacks  5 keepers
-- ARGV 1 (clock, unused)  2 edge  3.. places
-- Returns how many were not known, or the error SALE or SETTLING.
-- Cost O(log N) a place.
local refused = unsettled(KEYS[1])
if refused then return refused end
local n = 0
for i = 3, #ARGV do
  local place = ARGV[i]
  n = n + redis.call('HSET', KEYS[5], place .. ' ' .. ARGV[2], 1)
  local rank = redis.call('ZRANK', KEYS[2], place)
  if rank and redis.call('GETBIT', KEYS[3], rank) == 0 then
    redis.call('ZADD', KEYS[4], 'NX', redis.call('ZSCORE', KEYS[2], place), place)
  end
end
return n
