-- Lists the holds that are being paid for, the longest under way first.
--
-- KEYS  5 paying  7 prefix of hold keys
-- Returns {hold, attempt, hold, attempt, …}
-- Cost: O(payments under way)
local list = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
    list[#list + 1] = id
    list[#list + 1] = redis.call('HGET', KEYS[7] .. id, 'attempt') or ''
end
return list
