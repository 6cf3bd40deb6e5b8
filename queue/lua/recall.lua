-- Writes limits back that a server which has just taken over, or started anew, may
-- have lost: an edge knows of a later change.
-- KEYS 1 state  2 limits  3 offered  4 active  5 sessions
-- ARGV 1 clock (us) or ''  2 'version'  3 its value  4.. further fields of the
--      limits and their values in turns
-- Returns 1, or 0 if they are as new, or no server was lost of late.
-- Cost O(1); where the end of a stop was lost 3 us a slot in use.
local ms, known = math.floor(clock() / 1000), number(KEYS[2], 'version')
if tonumber(ARGV[3]) <= known or ms >= number(KEYS[1], 'ghosts_until') then return 0 end
local to = {}
for i = 2, #ARGV, 2 do to[ARGV[i]] = ARGV[i + 1] end
redis.call('HSETNX', KEYS[1], 'limits_told', text(known)) -- the public has not heard of it here
put_limits(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], to, nil, ms)
return 1
