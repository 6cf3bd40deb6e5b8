-- What became of those who came in, for whoever counts the stock.
-- KEYS 1 stock  2 state  3 active  4 bought
-- ARGV 1 clock (us) or ''
-- Returns {how old the stock is that is kept (us), -1 if none is, places whose
-- session is over or bought, those of them that bought}.
-- Cost as stock.lua.
local at = number(KEYS[1], 'at')
local claimed, bought = number(KEYS[2], 'claimed'), redis.call('SCARD', KEYS[4])
local done, inside = buyers_inside(KEYS[3], KEYS[4]), redis.call('ZCARD', KEYS[3])
local friends, places = number(KEYS[2], 'friends'), number(KEYS[2], 'last_offer')
-- Slots are counted in people: as many share a place as of all who were offered.
if friends > 0 then inside = math.ceil(inside * places / (places + friends)) end
local over = math.max(0, claimed - inside) + done
return { at > 0 and text(clock() - at) or '-1', math.max(over, bought), bought }
