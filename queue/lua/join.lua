-- Puts places into the line, in the order given. Idempotent: a place that is
-- there already stays where it is.
-- KEYS 1 state  2 order  3 collected  4 pending
-- ARGV 1 clock (us) or ''  2.. place ids
-- Returns one answer a place: 'new <ordinal> <score>', 'collected' (new, no
-- ordinal yet) or 'known' (was there before); or the error SALE (not
-- published) or ENDED.
-- Cost O(log N) a place; 5 to 6 us each in a batch of 64 to 256.
local now = clock()
local close = number(KEYS[1], 'close')
if close == 0 then return redis.error_reply('SALE not published') end
if now >= number(KEYS[1], 'end') * 1000 then return redis.error_reply('ENDED the sale is over') end

local answers = {}

if number(KEYS[1], 'drawn') == 0 then
  local lobby = now < close * 1000
  local last = tail(KEYS[4])
  for i = 2, #ARGV do
    local new = 0
    if lobby then
      new = redis.call('SADD', KEYS[3], ARGV[i])
    elseif redis.call('SISMEMBER', KEYS[3], ARGV[i]) == 0 then
      -- The draw is under way: it must not find this place among the lobby's.
      local score = arrival(now, close, last)
      new = redis.call('ZADD', KEYS[4], 'NX', string.format('%.0f', score), ARGV[i])
      if new == 1 then last = score end
    end
    answers[#answers + 1] = new == 1 and 'collected' or 'known'
  end
  return answers
end

local last = tail(KEYS[2])
local size = redis.call('ZCARD', KEYS[2])
for i = 2, #ARGV do
  local score = arrival(now, close, last)
  local text = string.format('%.0f', score)
  if redis.call('ZADD', KEYS[2], 'NX', text, ARGV[i]) == 1 then
    answers[#answers + 1] = 'new ' .. string.format('%.0f', size) .. ' ' .. text
    last, size = score, size + 1
  else
    answers[#answers + 1] = 'known'
  end
end
return answers
