-- Writes a sale's settings back that its server has lost, from what an edge
-- remembers. Slots that were in use are counted as ghosts.
-- KEYS 1 state  2 limits  3 sale  4 seed  5 draw
-- ARGV 1 clock (us) or ''  2 document  3 sealed seed  4 version  5 close
--      6 open  7 end (ms)  8 claim window  9 token life  10 session maximum (s)
--      11 rate  12 last offer  13 slots in use  14 margin (ms)  15 tick (ms)
--      16 gauge  17 over how many lines it is spread  18 its lanes  19 people
--      that each was given  20 people by each bypass rule  21 how many values follow
--      22.. fields of the limits and their values in turns, the version first; then of the draw
-- Returns 1 if it was written, 0 if the sale is there.
-- Cost O(1).
local last = tonumber(ARGV[12])
local lost = 2 * math.ceil(tonumber(ARGV[15]) * tonumber(ARGV[11]) / 60000) + 1
local limits = 22 + tonumber(ARGV[21])
if redis.call('EXISTS', KEYS[1]) == 1 then
  -- Another edge was faster; the higher numbers are the newer ones. What was
  -- not restored in this life of the server, or has stood for a token's life, is
  -- newer than any edge's memory.
  local s = redis.call('HMGET', KEYS[1], 'restored', 'last_known', 'ghosts_until')
  local open = s[1] == run_id() and clock() / 1000 < tonumber(s[3])
  if not open then return 0 end
  if tonumber(ARGV[23]) > number(KEYS[2], 'version') then
    redis.call('HSET', KEYS[2], unpack(ARGV, 22, limits - 1))
    redis.call('HDEL', KEYS[2], 'change')
  end
  if last <= tonumber(s[2]) then return 0 end
  redis.call('HINCRBY', KEYS[1], 'last_offer', last - tonumber(s[2]))
  redis.call('HSET', KEYS[1], 'last_known', text(last), 'ghosts', math.max(number(KEYS[1], 'ghosts'), tonumber(ARGV[13]) + lost))
  return 0
end
local ms, here = math.floor(clock() / 1000), run_id()
redis.call('SET', KEYS[3], ARGV[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[4], ARGV[3]) end
redis.call('HSET', KEYS[1], 'version', ARGV[4], 'close', ARGV[5], 'open', ARGV[6], 'end', ARGV[7],
  'claim', ARGV[8], 'life', ARGV[9], 'session', ARGV[10], 'run_id', here,
  'shards', ARGV[17], 'last_offer', text(last + 1000), 'last_known', text(last), 'restored', here, 'gauge', ARGV[16], 'limits_told', 0,
  'ghosts', tonumber(ARGV[13]) + lost, 'ghosts_until', ms + tonumber(ARGV[9]) * 1000 + tonumber(ARGV[14]))
redis.call('HSET', KEYS[2], unpack(ARGV, 22, limits - 1))
if ARGV[20] ~= '' then redis.call('HSET', KEYS[1], 'bypass', ARGV[20]) end
if ARGV[18] ~= '' then redis.call('HSET', KEYS[1], 'lanes', ARGV[18], 'turns', ARGV[19]) end
for i = limits, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
return 1
