-- Makes a closed lobby again what a root was published over, after a loss: who
-- was bound takes part, and who was not comes behind the lobby, as whoever joins
-- while the draw runs.
-- KEYS 1 line  2 collected  3 pending
-- ARGV 1 clock (us) or ''  2 how many strangers follow  3.. those, then entrants
-- Returns 1, or the errors SALE, SETTLING and MISMATCH: the line has been drawn
-- meanwhile. Idempotent; call it with a part of them at a time.
-- Cost O(log N) a place.
local refused = unsettled(KEYS[1])
if refused then return refused end
if number(KEYS[1], 'drawn') == 1 then return redis.error_reply('MISMATCH the line is drawn') end
local strangers = tonumber(ARGV[2])
local now, close, last = clock(), number(KEYS[1], 'close'), tail(KEYS[3])
for i = 3, 2 + strangers do
  if redis.call('SREM', KEYS[2], ARGV[i]) == 1 then
    last = arrival(now, close, last)
    redis.call('ZADD', KEYS[3], 'NX', text(last), ARGV[i])
  end
end
for i = 3 + strangers, #ARGV do
  redis.call('SADD', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end
return 1
