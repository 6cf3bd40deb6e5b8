-- Puts a place whose turn may be repeated before everybody.
-- KEYS 1 line  2 order  3 comebacks  4 departed  5 quit
-- ARGV 1 (clock, unused)  2 place  3 score of its ticket, for one that is not in
--      the line (since a loss, or never was), or ''  4 1 if it may come without
--      any, else 0
-- Returns 1 if it stands there now, 0 if it left or has no score; or the error
-- SALE or SETTLING.
-- Cost O(log N).
local refused = unsettled(KEYS[1])
if refused then return refused end
local rank = redis.call('ZRANK', KEYS[2], ARGV[2])
if rank and redis.call('GETBIT', KEYS[4], rank) == 1 or redis.call('SISMEMBER', KEYS[5], ARGV[2]) == 1 then return 0 end
local score = rank and redis.call('ZSCORE', KEYS[2], ARGV[2]) or ARGV[3]
if score == '' and ARGV[4] == '1' then score = redis.call('HGET', KEYS[1], 'cursor_score') or '0' end
if score == '' then return 0 end
redis.call('ZADD', KEYS[3], 'NX', score, ARGV[2])
return 1
