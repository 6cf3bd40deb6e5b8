-- Makes the commitment to a draw's seed public, for the close that stands.
-- KEYS 1 state  2 draw  3 events
-- ARGV 1 clock (us) or ''  2 close (ms) that it is bound to  3 rule of the
--      beacon  4 commitment
-- Returns 1, or 0 if the close is another one by now, or the error CLOSED: the
-- lobby has closed, under another rule of the beacon.
-- Cost O(1).
if number(KEYS[1], 'close') ~= tonumber(ARGV[2]) then return 0 end
local rule = redis.call('HGET', KEYS[2], 'beacon_rule')
if rule and rule ~= ARGV[3] and clock() >= tonumber(ARGV[2]) * 1000 then
  return redis.error_reply('CLOSED the lobby has closed')
end
if redis.call('HGET', KEYS[2], 'commitment') ~= ARGV[4] then
  tell(KEYS[3], clock(), 'draw-committed', { commitment = ARGV[4], close_ms = tonumber(ARGV[2]), beacon = ARGV[3] })
end
redis.call('HSET', KEYS[2], 'beacon_rule', ARGV[3], 'commitment', ARGV[4])
return 1
