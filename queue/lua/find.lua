-- Says what has become of one place. Changes nothing.
-- KEYS 1 state  2 order  3 collected  4 pending  5 departed  6 offered
--      7 active  8 numbers  9 sessions  10 quit
-- ARGV 1 clock (us) or ''  2 place id
-- Returns {} if the place is unknown, else {state, epoch, ordinal or -1,
-- score or '', offer number or 0, claim by (ms) or 0, session text or ''}.
-- Cost O(log N).
local place, now = ARGV[2], clock() / 1000
local epoch = redis.call('HGET', KEYS[1], 'epoch') or ''
local rank = redis.call('ZRANK', KEYS[2], place)

if not rank then
  if redis.call('SISMEMBER', KEYS[10], place) == 1 then return { 'left', epoch, -1, '', 0, 0, '' } end
  if redis.call('SISMEMBER', KEYS[3], place) == 1 or redis.call('ZSCORE', KEYS[4], place) then
    return { 'collected', epoch, -1, '', 0, 0, '' }
  end
  return {}
end

local score = redis.call('ZSCORE', KEYS[2], place)
local offer = tonumber(redis.call('HGET', KEYS[8], place) or '0')
local session = redis.call('HGET', KEYS[9], place) or ''
local claim_by = redis.call('ZSCORE', KEYS[6], place)
local slot = redis.call('ZSCORE', KEYS[7], place)

local what = 'waiting'
if slot and tonumber(slot) > now and string.find(session, ' open$') then
  what = 'active'
elseif claim_by and tonumber(claim_by) > now then
  what = 'offered'
elseif session == 'left' or redis.call('GETBIT', KEYS[5], rank) == 1 then
  what = 'left'
elseif session ~= '' then
  what = 'done'
elseif offer > 0 then
  what = 'expired'
end
return { what, epoch, rank, score, offer, claim_by or '0', session }
