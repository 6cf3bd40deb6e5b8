-- Puts back members of parties that a loss of the server forgot, from what edges
-- and tickets tell. Each adds to what others told: a member who left is
-- forgotten with the rest, and may be back.
-- KEYS 1 state  2 numbers  3 parties
-- ARGV 1 (clock, unused)  2 most members  3.. place, members in turns
-- Returns how many were put back. Who comes after the offer, for which slots
-- were counted, is not.
-- Cost O(members) a place.
local back = 0
for i = 3, #ARGV, 2 do
  local place = ARGV[i]
  local members = redis.call('HGET', KEYS[3], place)
  if members ~= '' and redis.call('HEXISTS', KEYS[2], place) == 0 then
    local all = {}
    for tag in string.gmatch(members or '', '%S+') do all[#all + 1] = tag end
    local had = #all
    for tag in string.gmatch(ARGV[i + 1], '%S+') do
      if #all < tonumber(ARGV[2]) and not (all[1] and is_member(table.concat(all, ' '), tag)) then all[#all + 1] = tag end
    end
    if #all > had then
      redis.call('HSET', KEYS[3], place, table.concat(all, ' '))
      largest(KEYS[1], #all)
      redis.call('HINCRBY', KEYS[1], 'brought', #all - math.max(had, 1))
      back = back + #all - had
    end
  end
end
return back
