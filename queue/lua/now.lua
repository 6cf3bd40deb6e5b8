-- Tells the time of the server where a sale's capacity is. Changes nothing.
-- KEYS 1 state
-- ARGV 1 clock (us) or ''
-- Returns microseconds since 1970.
-- Cost O(1).
return text(clock())
