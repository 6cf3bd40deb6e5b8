-- Puts a place whose turn may be repeated before everybody.
-- KEYS 1 line  2 order  3 comebacks
-- ARGV 1 (clock, unused)  2 place  3 score of its ticket, for one that is not in
--      the line since a loss, or ''
-- Returns 1 if it stands there now, else 0; or the error SALE or SETTLING.
-- Cost O(log N).
local refused = unsettled(KEYS[1])
if refused then return refused end
local score = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not score and ARGV[3] == '' then return 0 end
redis.call('ZADD', KEYS[3], 'NX', score or ARGV[3], ARGV[2])
return 1
