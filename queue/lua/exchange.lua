-- Moves the place of a code to the device that brings it.
-- KEYS 1 the code's record  2 generations  3 numbers  4 parties
-- ARGV 1 clock (us) or ''  2 device, '' if it has no name
--      3 a place that the device has already, '' if none
-- Returns {the ticket as it was when the code was made, its new generation}, to
-- the same device again and again; or the error NOCODE, USED, LATE, TURN, OWN,
-- SHARED.
-- Cost O(1).
local c = redis.call('HMGET', KEYS[1], 'place', 'ticket', 'until', 'generation', 'device', 'born')
local place = c[1]
if not place then return redis.error_reply('NOCODE it was never made, or long ago') end
if c[4] then
  if ARGV[2] == '' or ARGV[2] ~= c[5] then return redis.error_reply('USED it was used') end
  return { c[2], tonumber(c[4]) }
end
if clock() / 1000 >= tonumber(c[3]) then return redis.error_reply('LATE its time is over') end
if ARGV[3] ~= '' and ARGV[3] ~= place then return redis.error_reply('OWN the device has another place') end
-- By another code it has moved since: who held it then may not take it back.
if c[6] and number(KEYS[2], place) > tonumber(c[6]) then return redis.error_reply('USED it was moved') end
if had_turn(KEYS[3], place) then return redis.error_reply('TURN it was offered') end
if size_of(redis.call('HGET', KEYS[4], place)) > 1 then return redis.error_reply('SHARED it is of a party') end
local generation = redis.call('HINCRBY', KEYS[2], place, 1)
redis.call('HSET', KEYS[1], 'generation', generation, 'device', ARGV[2])
return { c[2], generation }
