-- Offers a place at once by a rule of the sale: it stands in no line. It takes a
-- slot of the cap and of the rate as any other, and the rule may not have let in
-- more than its share of all people, but for the first few.
-- KEYS 1 state  2 limits  3 offered  4 active  5 numbers  6 offers  7 pace
--      8 events
-- ARGV 1 clock (us) or ''  2 place  3 rule  4 its share of 100  5 the first few
-- Returns {what, people by the rule, people by all rules, all people}. What is one
-- of 'new', 'known' (the place had its offer before), 'closed' (mode, or not open),
-- 'full', 'share'; or the error SALE or SETTLING.
-- Cost O(log N).
local now = clock()
local ms = math.floor(now / 1000)
local s = read_sale(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if not s.version then return redis.error_reply('SALE not published') end
if s.run_id ~= run_id() then return redis.error_reply('SETTLING turns are being put back') end
local counts, all = {}, 0
for rule, n in string.gmatch(s.bypass or '', '(%S+) (%d+)') do
  counts[rule] = tonumber(n)
  all = all + counts[rule]
end
local mine, people = counts[ARGV[3]] or 0, tonumber(s.last_offer or '0') + tonumber(s.friends or '0')
local function answer(what) return { what, mine, all, people } end

if redis.call('HEXISTS', KEYS[5], ARGV[2]) == 1 then return answer('known') end
if s.mode == 'queue' or s.mode == 'stop' or ms < tonumber(s.open) or ms >= tonumber(s['end']) then return answer('closed') end
local ghosts = ms < tonumber(s.ghosts_until or '0') and tonumber(s.ghosts or '0') or 0
if s.mode ~= 'pass' and s.offered + s.active + ghosts >= tonumber(s.cap) then return answer('full') end
if mine >= tonumber(ARGV[5]) and (mine + 1) * 100 > tonumber(ARGV[4]) * (people + 1) then return answer('share') end

prove(s, now)
local number_, deadline = tonumber(s.last_offer or '0') + 1, ms + tonumber(s.live.claim) * 1000
tell_offers(KEYS[6], number_, ARGV[2], 'b', text(deadline))
redis.call('ZADD', KEYS[3], deadline, ARGV[2])
redis.call('HSET', KEYS[5], ARGV[2], text(number_) .. ' beside')
s.offered, s.last_offer = s.offered + 1, text(number_)
mine, all, people = mine + 1, all + 1, people + 1
counts[ARGV[3]] = mine
local kept = {}
for rule, n in pairs(counts) do kept[#kept + 1] = rule .. ' ' .. text(n) end
table.sort(kept)
redis.call('HSET', KEYS[1], 'bypass', table.concat(kept, ' '), 'last_offer', s.last_offer,
  'max_in_use', math.max(s.offered + s.active, tonumber(s.max_in_use or '0')), prove(s, now))
redis.call('HINCRBY', KEYS[1], 'bucket', -60000)
keep_pace(KEYS[7], now, number_)
-- The public hears of it at most once a minute; the next word has what is missing.
local minute = math.floor(ms / 60000)
if number(KEYS[1], 'bypass_told') ~= minute then
  redis.call('HSET', KEYS[1], 'bypass_told', minute)
  tell(KEYS[8], now, 'bypass', { rules = counts, bypassed = all, people = people })
end
return answer('new')
