-- The line as it is; with the departed bitmap for an edge that starts or has
-- missed a message. Changes nothing.
-- KEYS 1 state  2 limits  3 order  4 collected  5 departed  6 offered  7 active
--      8 pace
-- ARGV 1 clock (us) or ''  2 1 with the bitmap, 0 without
-- Returns {line as describe tells, departed bitmap or ''}.
-- Cost O(1) and a copy of the bitmap (125 KB a million).
return { describe(clock(), KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6], KEYS[7], KEYS[8]), ARGV[2] == '1' and redis.call('GET', KEYS[5]) or '' }
