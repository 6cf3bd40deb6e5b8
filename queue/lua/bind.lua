-- Binds the entrants of one line to the root over all of a sale's entrants.
-- KEYS 1 line  2 collected
-- ARGV 1 clock (us) or ''  2 root  3 how many of the entrants are of this line
--      4 1 if it has been drawn already, by a draw that did not come to the
--      other lines
-- Returns 1, or the errors SALE, SETTLING, OPEN (the lobby has not closed) and
-- MISMATCH (the root is not of these entrants).
-- Cost O(1).
local refused = unsettled(KEYS[1])
if refused then return refused end
if clock() < number(KEYS[1], 'close') * 1000 then return redis.error_reply('OPEN the lobby has not closed') end
local drawn = number(KEYS[1], 'drawn') == 1
if drawn ~= (ARGV[4] == '1') or not drawn and redis.call('SCARD', KEYS[2]) ~= tonumber(ARGV[3]) then
  return redis.error_reply('MISMATCH the root is not of these entrants')
end
redis.call('HSET', KEYS[1], 'bound', ARGV[2])
return 1
