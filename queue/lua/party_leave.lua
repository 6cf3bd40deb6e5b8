-- Lets a member leave a party; the others keep the place. Idempotent.
-- KEYS 1 state  2 offered  3 active  4 numbers  5 parties
-- ARGV 1 clock (us) or ''  2 place  3 tag of the member  4 members as the ticket
--      remembers them, or '': a loss may have forgotten the party
-- Returns 'alone' (nobody else shares the place: it is given up), 'left' (an
-- offered slot is free at once, for no token was issued) or 'active' (the
-- member may have a token: the slot is not renewed and so free when that has
-- expired); or the error SALE.
-- Cost O(members + log N).
local place, tag = ARGV[2], ARGV[3]
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('SALE not published') end
local members = redis.call('HGET', KEYS[5], place)
local offered, known = redis.call('HEXISTS', KEYS[4], place) == 1, size_of(members)
-- Once there was an offer its slots were counted: nobody is remembered later.
if not members and not offered then members = ARGV[4] end
if not members then return tag == '0' and 'alone' or 'left' end
if members == '' then return 'alone' end
local rest = without(members, tag)
if rest == '' then
  redis.call('HSET', KEYS[5], place, '') -- nobody opens it anew
  return 'alone'
end
if rest then
  redis.call('HSET', KEYS[5], place, rest)
  if not offered then redis.call('HINCRBY', KEYS[1], 'brought', size_of(rest) - known) end
  local slots = slots_of(place, size_of(members))
  redis.call('ZREM', KEYS[2], slots[#slots])
end
local slot = redis.call('ZSCORE', KEYS[3], place)
return slot and tonumber(slot) > clock() / 1000 and 'active' or 'left'
