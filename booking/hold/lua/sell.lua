-- Marks units as sold and ends the hold that was paid. The units come from
-- Postgres, which has sold them already: whatever Redis thinks is put right, but
-- for units that were canceled since (see return.lua). Safe to repeat.
--
-- ARGV  1 now  2 hold  3 attempt  4 … the units
-- Codes unknown: Redis has lost the hold (the units are marked all the same);
--       a state
-- Cost: O(units)
local returned = KEYS[1] .. ':returned'
local units = { unpack(ARGV, 4) }
if redis.call('EXISTS', returned) == 1 then
    for i = #units, 1, -1 do
        if redis.call('SISMEMBER', returned, ARGV[3] .. ':' .. units[i]) == 1 then
            table.remove(units, i)
        end
    end
end
if #units > 0 then
    local runs = runs_of(units)
    local all = ones(runs)
    bits(KEYS[3], runs, all)
    bits(KEYS[2], runs, all)
end
-- A held hold was given back by somebody who took the attempt for failed. One that is
-- over stays so: what was canceled may be another's by then.
local h = redis.call('HMGET', KEYS[7], 'attempt', 'state')
if h[2] == 'held' or h[2] == 'paying' and h[1] == ARGV[3] then
    redis.call('HSET', KEYS[7], 'attempt', ARGV[3])
    finish(KEYS[7], ARGV[2], 'sold')
end
return answer()
