-- Counts who of those next in line is here. Changes nothing.
-- KEYS 1 line  2 order  3 departed  4 edges  5 reported
-- ARGV 1 clock (us) or ''  2 what the names of presence bitmaps begin with
--      3 how many ordinals to look at
-- Returns {living, present}; who is present at two edges is counted twice, but
-- no more than are living. Both 0 while edges are still to say who is present in
-- a new epoch; or the error SALE or SETTLING.
-- Cost 0.5 us an edge for 4,096 ordinals.
local l, refused = read_line(KEYS[1])
if refused then return refused end
if not l.epoch then return { 0, 0 } end
local ms = math.floor(clock() / 1000)
local edges = redis.call('ZRANGEBYSCORE', KEYS[4], ms - 3000, '+inf')
for _, epoch in ipairs(#edges > 0 and redis.call('HMGET', KEYS[5], unpack(edges)) or {}) do
  if epoch ~= l.epoch then return { 0, 0 } end
end
local from = tonumber(l.cursor)
local to = math.min(from + tonumber(ARGV[3]), redis.call('ZCARD', KEYS[2])) - 1
if to < from then return { 0, 0 } end
local living = to - from + 1 - redis.call('BITCOUNT', KEYS[3], from, to, 'BIT')
local present = 0
for _, key in ipairs(presences(KEYS[4], ARGV[2], ms)) do present = present + redis.call('BITCOUNT', key, from, to, 'BIT') end
return { living, math.min(living, present) }
