-- Reads everything that Redis knows about a performance's units at one instant.
--
-- KEYS  1 built  2 taken  3 sold  4 deadlines  5 paying  6 sessions (not used)
--       7 prefix of hold keys
-- Returns {built mark or "", taken, sold, withheld, listed, units of the pool, hold, state,
--         units, attempt, hold, …};
--         a hold without a record has state "lost" and no units
-- Cost: O(bytes of the bitmaps + units in live holds)
local answer = {
    redis.call('GET', KEYS[1]) or '',
    redis.call('GET', KEYS[2]) or '',
    redis.call('GET', KEYS[3]) or '',
    redis.call('GET', KEYS[1] .. ':withheld') or '',
    redis.call('GET', KEYS[1] .. ':listed') or '',
    table.concat(redis.call('ZRANGE', KEYS[1] .. ':pool', 0, -1), ','),
}
for i = 4, 5 do
    for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
        local record = redis.call('HMGET', KEYS[7] .. id, 'state', 'units', 'attempt')
        answer[#answer + 1] = id
        answer[#answer + 1] = record[1] or 'lost'
        answer[#answer + 1] = record[2] or ''
        answer[#answer + 1] = record[3] or ''
    end
end
return answer
