-- Tells the public what happens to a sale.
-- KEYS 1 events
-- ARGV 1 clock (us) or ''  2 kind  3 JSON of an object
-- Returns 1.
-- Cost O(1).
tell(KEYS[1], clock(), ARGV[2], ARGV[3])
return 1
