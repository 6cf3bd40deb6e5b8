-- Puts back the place of a ticket that a settled line does not know: into an
-- open lobby again, beside the line at its own score if the cursor has not come
-- so far, else before everybody. Only a ticket of before a loss can do that.
-- KEYS 1 line  2 order  3 comebacks  4 late  5 quit  6 returned  7 collected
-- ARGV 1 clock (us) or ''  2 place  3 score, '' of a place in the lobby
--      4 epoch of the ticket
-- Returns 'known', 'lobby', 'late', 'comeback' or 'gone', or the error SALE or
-- SETTLING.
-- Cost O(log N).
local refused = unsettled(KEYS[1])
if refused then return refused end
local l = redis.call('HMGET', KEYS[1], 'epoch', 'losses', 'cursor_score', 'drawn', 'close')
local place, score = ARGV[2], ARGV[3]
if not l[2] or redis.call('SISMEMBER', KEYS[5], place) == 1 then return 'gone' end
if l[4] ~= '1' then
  -- Once the lobby has closed its entrants are bound: the place comes beside
  -- the line when that is drawn.
  if score ~= '' or clock() >= tonumber(l[5]) * 1000 then return 'gone' end
  return redis.call('SADD', KEYS[7], place) == 1 and 'lobby' or 'known'
end
if redis.call('ZSCORE', KEYS[2], place) or redis.call('ZSCORE', KEYS[3], place) or redis.call('ZSCORE', KEYS[4], place) then return 'known' end
if score == '' or l[1] == ARGV[4] or redis.call('SISMEMBER', KEYS[6], place) == 1 then return 'gone' end
redis.call('SADD', KEYS[6], place) -- once: it is in none of the three any more when it had its turn
if tonumber(score) <= tonumber(l[3] or '0') then
  -- It had its turn, or was passed over: nobody knows.
  redis.call('ZADD', KEYS[3], score, place)
  return 'comeback'
end
redis.call('ZADD', KEYS[4], score, place)
redis.call('HINCRBY', KEYS[1], 'late_seq', 1)
return 'late'
