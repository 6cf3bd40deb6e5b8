-- How many living gates have not acknowledged an entry of the ended sessions.
-- KEYS 1 gates seen  2 gates acknowledged  3 ended sessions
-- ARGV 1 clock (us) or ''  2 entry id '<ms>-<n>'  3 a gate silent for longer
--      than this (ms) refuses everybody by itself and is not waited for
-- Returns the number, or -1 if the entry is not there any more: a loss has
-- forgotten it, and perhaps gates that never read it.
-- Cost O(gates).
local function at_least(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 > b1 or (a1 == b1 and a2 >= b2)
end
if #redis.call('XRANGE', KEYS[3], ARGV[2], ARGV[2]) == 0 then return -1 end
local unheard = 0
for _, gate in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], math.floor(clock() / 1000) - tonumber(ARGV[3]), '+inf')) do
  if not at_least(redis.call('HGET', KEYS[2], gate) or '0-0', ARGV[2]) then unheard = unheard + 1 end
end
return unheard
