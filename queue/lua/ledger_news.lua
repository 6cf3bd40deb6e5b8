-- What the ledger of a sale has to take in, for the controller that leads: what
-- the public was told since, and how far the counts have come, of one moment.
-- KEYS 1 leader  2 chain  3 events  4 state  5 counts
-- ARGV 1 clock (us) or ''  2 controller  3 most events
-- Returns {} if another one leads, if the sale's server started anew and nobody
-- has ticked since, or the limits were not compared with what is kept of them, or if
-- there is nothing to do yet; else {clock (us), run id,
-- 1 if the sale was lost and restored, chain as HGETALL, events {id, {field,
-- value, …}}, how many events were added ever (0 if the stream is not there: only
-- taking it away does that), how many are kept, open, end (ms),
-- last offer, friends, missed, claimed, limit, since (us), in use then,
-- most since, counts as HGETALL}.
-- Cost O(events).
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return {} end
local now, here = clock(), run_id()
local s = redis.call('HMGET', KEYS[4], 'run_id', 'restored', 'open', 'end', 'last_offer', 'friends', 'missed', 'claimed',
  'limit', 'limit_since', 'limit_from', 'limit_max', 'limits_run')
if s[1] ~= here or s[13] ~= here then return {} end
local c, kept, added = redis.call('HMGET', KEYS[2], 'run', 'due', 'added'), redis.call('XLEN', KEYS[3]), 0
if redis.call('EXISTS', KEYS[3]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[3])
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then added = info[i + 1] end
  end
end
-- Nothing is to be taken in; and nothing is gone that never was.
if kept == 0 and c[1] == here and tonumber(c[3]) == added and math.floor(now / 1000) < tonumber(c[2]) then return {} end
local reply = { text(now), here, s[2] and 1 or 0, redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', ARGV[3]), added, kept }
for i = 3, 12 do reply[#reply + 1] = s[i] or '0' end
reply[#reply + 1] = redis.call('HGETALL', KEYS[5])
return reply
