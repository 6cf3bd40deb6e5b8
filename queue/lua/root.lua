-- Publishes the root over a closed lobby's entrants, before anybody can know the
-- order: from here on nobody slips in or out.
-- KEYS 1 line  2 collected  3 draw
-- ARGV 1 clock (us) or ''  2 root  3 number of entrants
-- Returns 1, 0 if the line is drawn, or the errors SALE, SETTLING, OPEN (the
-- lobby has not closed) and MISMATCH (the root is not of these entrants). A root
-- that differs from one published before, which only a loss of the store can
-- bring about, is published beside it.
-- Cost O(1).
local refused = unsettled(KEYS[1])
if refused then return refused end
if number(KEYS[1], 'drawn') == 1 then return 0 end
local now = clock()
if now < number(KEYS[1], 'close') * 1000 then return redis.error_reply('OPEN the lobby has not closed') end
if redis.call('SCARD', KEYS[2]) ~= tonumber(ARGV[3]) then return redis.error_reply('MISMATCH the root is not of these entrants') end
local before = redis.call('HGET', KEYS[3], 'root')
if before == ARGV[2] then return 1 end
if before then
  redis.call('HSET', KEYS[3], 'root_before', before)
  redis.call('HDEL', KEYS[3], 'beacon') -- its value was known before this root
end
redis.call('HSET', KEYS[3], 'root', ARGV[2], 'count', ARGV[3], 'root_at', math.floor(now / 1000))
return 1
