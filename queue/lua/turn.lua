-- Says what has become of the turns of places. Changes nothing.
-- KEYS 1 offered  2 active  3 numbers  4 sessions  5 missed
--      6 generations  7 parties  8 state  9 limits  10 passes  11 bought
-- ARGV 1 clock (us) or ''  2.. place ids
-- Returns {the time by which turns run out (ms), then for each place: number text or '', claim by (ms) or
-- 0, session text or '', slot until (ms) or 0, offer missed at (ms) or 0,
-- generation, members of a party or '', re-entry pass or ''}, or the error SALE:
-- what they were is lost. The pass of who has bought is 'bought' instead of 'open'.
-- Cost O(log N) a place.
if redis.call('EXISTS', KEYS[8]) == 0 then return redis.error_reply('SALE not published') end
local live = redis.call('HMGET', KEYS[9], 'mode', 'stopped')
local reply = { turn_time({ mode = live[1], stopped = live[2] or '0' }, math.floor(clock() / 1000)) }
local moved = redis.call('HLEN', KEYS[6]) > 0 -- most sales have no such place
local parties, passes = redis.call('EXISTS', KEYS[7]) == 1, redis.call('EXISTS', KEYS[10]) == 1
for i = 2, #ARGV do
  local place = ARGV[i]
  local n = #reply
  reply[n + 1] = redis.call('HGET', KEYS[3], place) or ''
  if reply[n + 1] == '' then -- most places by far
    reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = 0, '', 0, 0
  else
    reply[n + 2] = redis.call('ZSCORE', KEYS[1], place) or 0
    reply[n + 3] = redis.call('HGET', KEYS[4], place) or ''
    reply[n + 4] = redis.call('ZSCORE', KEYS[2], place) or 0
    reply[n + 5] = redis.call('ZSCORE', KEYS[5], place) or 0
  end
  reply[n + 6] = moved and number(KEYS[6], place) or 0
  reply[n + 7] = parties and redis.call('HGET', KEYS[7], place) or ''
  reply[n + 8] = passes and redis.call('HGET', KEYS[10], place) or ''
  if reply[n + 8] ~= '' and redis.call('SISMEMBER', KEYS[11], place) == 1 then
    reply[n + 8] = string.gsub(reply[n + 8], ' open ', ' bought ')
  end
end
return reply
