-- Writes limits back that a server which has just taken over, or started anew, may
-- have lost: an edge knows of a later change.
-- KEYS 1 state  2 limits  3 offered  4 active  5 sessions
-- ARGV 1 clock (us) or ''  2 'version'  3 its value  4.. further fields of the
--      limits and their values in turns
-- Returns 1, or 0 if they are as new, or no server was lost of late.
-- Cost O(1); where the end of a stop was lost 3 us a slot in use.
local ms = math.floor(clock() / 1000)
if tonumber(ARGV[3]) <= number(KEYS[2], 'version') or ms >= number(KEYS[1], 'ghosts_until') then return 0 end
local was = redis.call('HMGET', KEYS[2], 'mode', 'stopped', 'shares')
keep_limits(KEYS[1], KEYS[2], 2, #ARGV)
if was[3] ~= redis.call('HGET', KEYS[2], 'shares') then redis.call('HDEL', KEYS[1], 'leads') end -- they are told in what turns cost
if was[1] == 'stop' and redis.call('HGET', KEYS[2], 'mode') ~= 'stop' then
  end_stop(KEYS[3], KEYS[4], KEYS[5], math.max(0, ms - tonumber(was[2])))
end
return 1
