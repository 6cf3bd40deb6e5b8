-- Looks at a code that somebody brings who waits or joins, and takes a use of it
-- for their place if they say so. What is wrong costs nothing but a try of the
-- minute. Tries are counted for the place, the address and the sale; where an
-- address or the sale has had too many, each place still has one a minute, so
-- nobody who guesses can lock out the holder of a good code.
-- KEYS 1 codes  2 batches  3 uses  4 redeemed  5 tries  6 state  7 unkept: uses
--      that are not kept for good yet
-- ARGV 1 clock (us) or ''  2 the code's HMAC  3 place  4 address  5 1 to take a
--      use, 0 to look  6 tries a minute of a place, 7 of an address, 8 of the
--      sale  9 tries that a place has in any case  10 1 if the place may move
--      11 the lane it is in
-- Returns {what, lane, tries left, seconds until there are more, the code's batch}.
-- What is one of
--   ok       the code leads to the lane; a use is taken if that was asked for
--   again    the place has taken a use of this code before
--   away     the server has lost its codes, and they are not back yet
--   wait     no tries are left: the code was not looked at
--   unknown, revoked, early, late, spent   it leads nowhere
--   here     it leads to the lane that the place is in
--   fixed    the place cannot move any more, or has moved by another code
-- or the error SALE.
-- Cost O(1): 10 us.
local s = redis.call('HMGET', KEYS[6], 'version', 'restored', 'codes_run')
if not s[1] then return redis.error_reply('SALE not published') end
if s[2] and not s[3] then return { 'away', '', 0, 0, '' } end
local now = clock()
local ms, minute = math.floor(now / 1000), math.floor(now / 60000000)
local rest = 60 - math.floor(now / 1000000) % 60
local code, place = ARGV[2], ARGV[3]

local record = redis.call('HGET', KEYS[1], code)
local taken = redis.call('HGET', KEYS[4], place)
if taken then
  if taken ~= code or not record then return { 'fixed', '', 0, 0, '' } end
  local lane = string.match(redis.call('HGET', KEYS[2], string.match(record, '^%S+')) or '', '^%S+')
  return { 'again', lane or '', 0, 0, '' }
end

if number(KEYS[5], 'minute') ~= minute then
  redis.call('DEL', KEYS[5])
  redis.call('HSET', KEYS[5], 'minute', minute)
  redis.call('EXPIRE', KEYS[5], 120)
end
local tries = redis.call('HMGET', KEYS[5], 'p ' .. place, 'a ' .. ARGV[4], 'all')
local most = tonumber(ARGV[6])
if tonumber(tries[2] or '0') >= tonumber(ARGV[7]) or tonumber(tries[3] or '0') >= tonumber(ARGV[8]) then most = tonumber(ARGV[9]) end
local left = most - tonumber(tries[1] or '0')
if left <= 0 then return { 'wait', '', 0, rest, '' } end

local function wrong(what)
  redis.call('HINCRBY', KEYS[5], 'p ' .. place, 1)
  redis.call('HINCRBY', KEYS[5], 'a ' .. ARGV[4], 1)
  redis.call('HINCRBY', KEYS[5], 'all', 1)
  return { what, '', left - 1, rest, '' }
end

if not record then return wrong('unknown') end
local id, revoked = string.match(record, '^(%S+)( ?)')
local b = redis.call('HGET', KEYS[2], id)
local lane, uses, from, until_, over = string.match(b or '', '^(%S+) (%d+) (%d+) (%d+)( ?)')
if not lane then return wrong('unknown') end
if revoked ~= '' or over ~= '' then return wrong('revoked') end
if ms < tonumber(from) then return wrong('early') end
if tonumber(until_) > 0 and ms >= tonumber(until_) then return wrong('late') end
if number(KEYS[3], code) >= tonumber(uses) then return wrong('spent') end
if lane == ARGV[11] then return { 'here', lane, left, 0, '' } end
if ARGV[10] ~= '1' then return { 'fixed', lane, left, 0, '' } end
if ARGV[5] == '1' then
  redis.call('HINCRBY', KEYS[3], code, 1)
  redis.call('HINCRBY', KEYS[3], 'batch ' .. id, 1)
  redis.call('HSET', KEYS[4], place, code)
  redis.call('HSET', KEYS[7], place, code .. ' ' .. id)
end
return { 'ok', lane, left, 0, id }
