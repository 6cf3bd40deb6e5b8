-- Decides on the value of a draw's beacon, once and for all.
-- KEYS 1 draw
-- ARGV 1 clock (us) or ''  2 how long after the root its time is  3 how long it
--      is waited for from then on (ms)  4 a value, 'absent' (it was asked for,
--      and is not there) or '' (only look)
-- Returns {time of the beacon (ms), value}; the value is '' while it is waited
-- for; or the error UNBOUND: there is no root yet.
-- Cost O(1).
local d = redis.call('HMGET', KEYS[1], 'root_at', 'beacon')
if not d[1] then return redis.error_reply('UNBOUND the entrants are not bound yet') end
local at = math.ceil((tonumber(d[1]) + tonumber(ARGV[2])) / 1000) * 1000
if d[2] then return { at, d[2] } end
local ms = math.floor(clock() / 1000)
local value = ARGV[4]
if ms < at then value = '' end -- nobody can know it
if value == 'absent' then value = ms >= at + tonumber(ARGV[3]) and string.rep('0', 64) or '' end
if value ~= '' then redis.call('HSET', KEYS[1], 'beacon', value) end
return { at, value }
