-- A sale's capacity as it is. Changes nothing.
-- KEYS 1 state  2 limits  3 offered  4 active  5 pace  6 stock
-- ARGV 1 clock (us) or ''
-- Returns what describe tells.
-- Cost O(1).
return describe(read_sale(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6]), clock(), KEYS[4], KEYS[5])
