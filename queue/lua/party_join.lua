-- Takes a member into the party of a place; who holds the place opens it.
-- Idempotent.
-- KEYS 1 state  2 limits  3 numbers  4 parties
-- ARGV 1 (clock, unused)  2 place  3 tag of the member, '0' of who holds the
--      place  4 most members
-- Returns the members, or the errors SALE, PARTYOVER (nobody opened it, or all
-- have left), OFFERED (its turn has come: a larger one might not fit any more),
-- PARTYFULL or PARTYLARGE (more than are let in at once).
-- Cost O(members).
local place, tag = ARGV[2], ARGV[3]
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('SALE not published') end
local members = redis.call('HGET', KEYS[4], place)
if members and members ~= '' and is_member(members, tag) then return members end
if redis.call('HEXISTS', KEYS[3], place) == 1 then return redis.error_reply('OFFERED its turn has come') end
if members == '' or not members and tag ~= '0' then return redis.error_reply('PARTYOVER there is no such party') end
if members then
  local size = size_of(members) + 1
  if size > tonumber(ARGV[4]) then return redis.error_reply('PARTYFULL it has all the members it may have') end
  local cap = number(KEYS[2], 'cap') -- 0 is not for good: nobody is let in for now
  if cap > 0 and size > cap then return redis.error_reply('PARTYLARGE larger than the cap') end
  members = members .. ' ' .. tag
  largest(KEYS[1], size)
  redis.call('HINCRBY', KEYS[1], 'brought', 1)
end
redis.call('HSET', KEYS[4], place, members or tag)
return members or tag
