-- Sets the rate as the automatic mode wants it, if nobody has changed the limits
-- since it looked. Only the controller that holds the lease may, by the number of
-- its lease: one that slept, lost it and took it anew knows too little.
-- The rate moves each second; the public is told when it has moved by a fifth.
-- KEYS 1 leader  2 state  3 limits  4 events
-- ARGV 1 clock (us) or ''  2 controller  3 number of its lease  4 version of the
--      limits  5 rate  6 reason
-- Returns the rate that holds now, or the errors FENCED and SALE.
-- Cost O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[2] or redis.call('HGET', KEYS[2], 'term') ~= ARGV[3] then
  return redis.error_reply('FENCED another controller ticks')
end
local l = redis.call('HMGET', KEYS[3], 'rate', 'version', 'min_rate', 'max_rate', 'auto')
if not l[1] then return redis.error_reply('SALE not published') end
local rate = tonumber(l[1])
if (l[2] or '0') ~= ARGV[4] or (l[5] or '') == '' then return rate end
local to = math.max(tonumber(l[3] or UNSET.min_rate), math.min(tonumber(l[4] or UNSET.max_rate), math.floor(tonumber(ARGV[5]))))
if to ~= to or to == rate then return rate end -- NaN is not itself
redis.call('HSET', KEYS[3], 'rate', text(to))
redis.call('HSET', KEYS[2], 'auto_why', ARGV[6])
local version, told = string.match(redis.call('HGET', KEYS[2], 'auto_told') or '', '^(%d+) (%d+)$')
told = version == ARGV[4] and tonumber(told) or rate
if math.abs(to - told) >= 0.2 * told then
  tell(KEYS[4], clock(), 'limits', { set = { rate = to }, was = { rate = told }, by = 'auto', reason = ARGV[6] })
  told = to
end
redis.call('HSET', KEYS[2], 'auto_told', ARGV[4] .. ' ' .. text(told))
return to
