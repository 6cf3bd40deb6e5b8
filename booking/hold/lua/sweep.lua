-- Ends held holds whose deadline has passed and puts their units back on sale.
-- Paying ones are not in this set: their units come back only once their
-- attempt is closed.
--
-- KEYS  7 prefix of hold keys
-- ARGV  1 now  2 at most so many
-- Returns how many ended
-- Cost: O(log holds + units of those that end); 100 holds of 4 units 2.2 ms
now = tonumber(ARGV[1]) or time()
local over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(over) do
    finish(KEYS[7] .. id, id, 'expired')
end
return #over
