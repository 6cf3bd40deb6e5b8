-- Begins and ends the comparison of a sale's codes with what is kept of them for
-- good: once in each life of the server, for it may have lost some, or all.
-- KEYS 1 leader  2 state
-- ARGV 1 clock, unused  2 controller  3 a word that names the comparison  4 1 to
--      end it
-- Returns 1 if it is begun or ended; 0 if there is nothing to be compared, somebody
-- else leads, or what this comparison has written was lost meanwhile.
-- Cost O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
local s = redis.call('HMGET', KEYS[2], 'version', 'codes_run', 'codes_mending')
if not s[1] then return 0 end
if ARGV[4] ~= '1' then
  if s[2] == run_id() then return 0 end
  redis.call('HSET', KEYS[2], 'codes_mending', ARGV[3])
  return 1
end
if s[3] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], 'codes_run', run_id())
redis.call('HDEL', KEYS[2], 'codes_mending')
return 1
