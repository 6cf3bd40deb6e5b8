-- What became of those who came in, for whoever counts the stock.
-- KEYS 1 stock  2 state  3 active  4 bought
-- ARGV 1 clock (us) or ''
-- Returns {how old the stock is that is kept (us), -1 if none is, places whose
-- session is over or bought, those of them that bought}.
-- Cost as stock.lua.
local at = number(KEYS[1], 'at')
local claimed, bought = number(KEYS[2], 'claimed'), redis.call('SCARD', KEYS[4])
local done = buyers_inside(KEYS[3], KEYS[4])
local over = math.max(0, claimed - redis.call('ZCARD', KEYS[3])) + done
return { at > 0 and text(clock() - at) or '-1', math.max(over, bought), bought }
