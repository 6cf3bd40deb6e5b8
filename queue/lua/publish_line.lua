-- Makes one line of a sale ready. The times that joins need are kept with the
-- line, for the rest of the settings may be on another server.
-- KEYS 1 line
-- ARGV 1 clock (us) or ''  2 version  3 close  4 end (ms)  5 1 if the sale was
--      published before: a line that is not there was lost  6 an epoch for a
--      line that is there from the beginning, '' for one that is drawn
-- Returns 1, 0 if a version as new or newer is there, or the error CLOSED: the
-- lobby's close has passed and cannot be moved.
-- Cost O(1).
if number(KEYS[1], 'version') >= tonumber(ARGV[2]) then return 0 end
local close = number(KEYS[1], 'close')
if close > 0 and clock() >= close * 1000 and tonumber(ARGV[3]) ~= close then
  return redis.error_reply('CLOSED the lobby has closed')
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'close', ARGV[3], 'end', ARGV[4])
redis.call('HSETNX', KEYS[1], 'run_id', run_id()) -- a later one would hide that the server was restarted
local now = clock()
if close == 0 and ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], 'drawn', 1, 'epoch', ARGV[6], 'epoch_at', math.floor(now / 1000), 'cursor', 0, 'cursor_score', 0, 'gone', 0)
end
if close == 0 and ARGV[5] == '1' and now >= tonumber(ARGV[3]) * 1000 then
  -- Who was in it must be able to say so before an empty lobby is drawn.
  redis.call('HSET', KEYS[1], 'settling', math.floor(now / 1000), 'settle_last', math.floor(now / 1000))
end
return 1
