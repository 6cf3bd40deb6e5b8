-- Forgets the address of a place whose fan was told, or is not to be any more.
-- KEYS 1 asked  2 asking  3 neared  4 state
-- ARGV 1 clock (us) or ''  2 place  3 '1': the fan was told, and is not told again
-- Returns 1.
-- Cost O(log N).
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
local ends = number(KEYS[4], 'end')
if ARGV[3] == '1' and ends > clock() / 1000 then
  redis.call('SADD', KEYS[3], ARGV[2])
  redis.call('PEXPIREAT', KEYS[3], ends)
end
return 1
