-- Raises the generations of places that moved to another device, as tickets
-- carry them: the highest is believed. Nothing is kept of the others.
-- KEYS 1 generations
-- ARGV 1 (clock, unused)  2.. place and generation, in turns
-- Returns the highest generation known of each. Idempotent.
-- Cost O(1) a place.
local reply = {}
for i = 2, #ARGV, 2 do reply[#reply + 1] = newest(KEYS[1], ARGV[i], tonumber(ARGV[i + 1])) end
return reply
