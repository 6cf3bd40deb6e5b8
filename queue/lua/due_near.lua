-- Says which places are to be looked at, whether their turn is near. At the end of the
-- sale it forgets all addresses instead.
-- KEYS 1 asked  2 asking  3 state
-- ARGV 1 clock (us) or ''  2 how many at most
-- Returns {now (ms), place …}.
-- Cost O(log N) a place; O(N) once, at the end.
local ms, ends = math.floor(clock() / 1000), number(KEYS[3], 'end')
if ends == 0 or ms >= ends then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  return { ms }
end
return { ms, unpack(redis.call('ZRANGE', KEYS[2], '-inf', ms, 'BYSCORE', 'LIMIT', 0, ARGV[2])) }
