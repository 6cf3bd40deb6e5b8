-- Makes a code the one that moves a place to another device, of its kind: one is shown,
-- one is mailed.
-- KEYS 1 the code's record  2 the code that the place had before
--      3 generations  4 numbers  5 parties
-- ARGV 1 clock (us) or ''  2 place  3 generation of the ticket  4 the ticket
--      5 code  6 life (ms)  7 how long the record is kept (ms)
--      8 what the names of records begin with
-- Returns until when it can be used (ms), or the error ELSEWHERE, TURN or SHARED.
-- Cost O(1).
local place = ARGV[2]
if newest(KEYS[3], place, tonumber(ARGV[3])) > tonumber(ARGV[3]) then return redis.error_reply('ELSEWHERE the place was moved') end
if had_turn(KEYS[4], place) then return redis.error_reply('TURN it was offered') end
if size_of(redis.call('HGET', KEYS[5], place)) > 1 then return redis.error_reply('SHARED it is of a party') end
local before = redis.call('GET', KEYS[2])
if before then redis.call('DEL', ARGV[8] .. before) end -- of the same slot, for it begins alike
local ends = math.floor(clock() / 1000) + tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'place', place, 'ticket', ARGV[4], 'until', ends, 'born', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
return ends
