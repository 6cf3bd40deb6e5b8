-- Marks a session as ended: it is not renewed any more. Its slot stays counted
-- until free.lua, after every gate has heard of it. Whoever ends it takes its
-- re-entry pass back. Idempotent.
-- KEYS 1 active  2 sessions  3 state  4 kept  5 passes
-- ARGV 1 clock (us) or ''  2 place  3 the session it must be, or '' for any
--      4 1 if it ends although it holds something or pays, else 0
-- Returns '<sid> <exp>' of the session that ends, with ' blind' behind it while a
-- loss may have forgotten which gates there are, or '' if there is none, or the
-- errors KEPT (it holds something or pays), SALE or SETTLING: there is none, but a
-- loss may have forgotten it.
-- Cost O(log N).
local ms = math.floor(clock() / 1000)
local session = redis.call('HGET', KEYS[2], ARGV[2])
if not session then return forgotten(KEYS[3], ms) or '' end
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return '' end
local sid, iat, exp, last, how = string.match(session, '^(%S+) (%d+) (%d+) (%d+) (%S+)')
if not sid or ARGV[3] ~= '' and sid ~= ARGV[3] then return '' end
if ARGV[4] == '0' and how == 'open' then
  for at in string.gmatch(redis.call('HGET', KEYS[4], ARGV[2]) or '', '=(%d+)') do
    if tonumber(at) > ms then return redis.error_reply('KEPT the session holds something or pays') end
  end
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%s %s %s %s ended', sid, iat, exp, last))
void_pass(KEYS[5], ARGV[2])
local blind = ms < number(KEYS[3], 'ghosts_until')
return sid .. ' ' .. exp .. (blind and ' blind' or '')
