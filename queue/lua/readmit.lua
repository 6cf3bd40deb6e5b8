-- Lets a missed turn be repeated, once, within the grace.
-- KEYS 1 numbers  2 sessions  3 missed
-- ARGV 1 clock (us) or ''  2 place  3 grace (ms)
-- Returns 1, or 0 if the place has no such right. Idempotent.
-- Cost O(log N).
local had = redis.call('HGET', KEYS[1], ARGV[2])
if not had or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return 0 end
if string.sub(had, -1) == 'c' then return 1 end
local missed = redis.call('ZSCORE', KEYS[3], ARGV[2])
if string.find(had, 'again') or not missed then return 0 end
if math.floor(clock() / 1000) - tonumber(missed) > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], had .. ' c')
return 1
