-- Publishes a sale's settings document; the newest version wins. Live limits
-- and the draw's seed are set once and outlive later versions.
-- KEYS 1 state  2 limits  3 sale  4 seed  5 events
-- ARGV 1 clock (us) or ''  2 document  3 version  4 close  5 open  6 end (ms)
--      7 claim window  8 token life  9 session maximum (s)  10 cap  11 rate
--      12 encrypted seed  13 over how many lines it is spread  14 what the public
--      is told of it, as JSON  15 its lanes as sharesText tells
-- Returns 1 if stored, 0 if the stored version is as new or newer, or the errors
-- CLOSED (the lobby's close has passed and cannot be moved, for the draw may be
-- under way), SHARDS and LANES (which lines there are cannot be changed).
-- Cost O(1).
if number(KEYS[1], 'version') >= tonumber(ARGV[3]) then return 0 end
local shards = redis.call('HGET', KEYS[1], 'shards')
if shards and shards ~= ARGV[13] then return redis.error_reply('SHARDS the sale has ' .. shards .. ' lines') end
local function names(lanes) return (string.gsub(lanes or '', '(%S+) %d+ %d+', '%1')) end
if shards and names(redis.call('HGET', KEYS[1], 'lanes')) ~= names(ARGV[15]) then
  return redis.error_reply('LANES the sale has others')
end
local close = number(KEYS[1], 'close')
if close > 0 and clock() >= close * 1000 and tonumber(ARGV[4]) ~= close then
  return redis.error_reply('CLOSED the lobby has closed')
end
redis.call('SET', KEYS[3], ARGV[2])
redis.call('SET', KEYS[4], ARGV[12], 'NX')
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'close', ARGV[4], 'open', ARGV[5], 'end', ARGV[6],
  'claim', ARGV[7], 'life', ARGV[8], 'session', ARGV[9], 'shards', ARGV[13])
if ARGV[15] ~= '' and redis.call('HGET', KEYS[1], 'lanes') ~= ARGV[15] then
  redis.call('HSET', KEYS[1], 'lanes', ARGV[15])
  redis.call('HDEL', KEYS[1], 'leads') -- they are told in what turns cost
end
redis.call('HSETNX', KEYS[1], 'run_id', run_id())
redis.call('HSETNX', KEYS[2], 'cap', ARGV[10])
redis.call('HSETNX', KEYS[2], 'rate', ARGV[11])
redis.call('HSETNX', KEYS[2], 'mode', 'run')
tell(KEYS[5], clock(), 'published', ARGV[14])
return 1
