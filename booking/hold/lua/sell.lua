-- Marks units as sold and ends the hold that was paid. The units come from
-- Postgres, which has sold them already: whatever Redis thinks is put right.
-- Safe to repeat.
--
-- ARGV  1 now  2 hold  3 attempt  4 … the units
-- Codes unknown: Redis has lost the hold (the units are marked all the same);
--       a state
-- Cost: O(units)
for i = 4, #ARGV do
    redis.call('SETBIT', KEYS[3], ARGV[i], 1)
    redis.call('SETBIT', KEYS[2], ARGV[i], 1)
end
if redis.call('HGET', KEYS[7], 'attempt') == ARGV[3] then
    finish(KEYS[7], ARGV[2], 'sold')
end
return answer()
