-- Brings a sale's limits to what is kept in the book of changes, tells the public of
-- what the store has forgotten that it did, and notes that they were compared.
-- A stop that was made while the book was away stands: it was written apart from the
-- changes that this server may have lost (steer.lua), and they come below it.
-- KEYS 1 state  2 limits  3 offered  4 active  5 sessions  6 events  7 board
--      8 steered
-- ARGV 1 clock (us) or ''  2 sale  3 run id of the server that said from which
--      version on it wants to know  4.. changes from there on, in their order, as
--      steer.lua wrote them
-- Returns 2 if limits were put back, 1 if they were compared only, 0 if another
-- server answers by now; or the error SALE.
-- Cost O(changes); where the end of a stop was lost 3 us a slot in use.
local s = redis.call('HMGET', KEYS[1], 'version', 'limits_told')
if not s[1] then return redis.error_reply('SALE not published') end
if ARGV[3] ~= run_id() then return 0 end
local now = clock()
local l = redis.call('HMGET', KEYS[2], 'version', 'change', 'apart')
local known, change, apart = tonumber(l[1] or '0'), l[2], tonumber(l[3] or '')
local from, last = apart or tonumber(s[2] or '') or known, nil
for i = 4, #ARGV do
  local c = cjson.decode(ARGV[i])
  local version = tonumber(c.limits.version)
  -- Another change of that number was made on the server that was before, and is kept.
  local other = change and version == known and c.change ~= change
  if other then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[8], '-', '+')) do
      if entry[2][2] == change then redis.call('XDEL', KEYS[8], entry[1]) end -- it was not made
    end
  end
  if other or version > from and not (apart and version >= apart + APART) then
    tell(KEYS[6], now, c.kind, c.event, not other and not apart and version)
    if c.words ~= '' then post(KEYS[1], KEYS[7], 'pause', c.words, now) end
    last = { limits = c.limits, change = c.change, newer = other or version > known }
  end
end
if last and apart then
  local stop = redis.call('HMGET', KEYS[2], 'mode', 'reason', 'stopped')
  tell(KEYS[6], now, 'mode', { set = { mode = stop[1] }, was = { mode = last.limits.mode }, by = 'failover', reason = stop[2], version = known + 1 })
  last.limits.mode, last.limits.reason, last.limits.stopped = stop[1], stop[2], stop[3]
  last.limits.version, last.change, last.newer = text(known + 1), nil, true
end
redis.call('HSET', KEYS[1], 'limits_run', run_id())
redis.call('HDEL', KEYS[2], 'apart')
wake(ARGV[2])
if not last then return 1 end
redis.call('HSET', KEYS[1], 'limits_told', text(math.max(known, tonumber(last.limits.version))))
if not last.newer then return 1 end
put_limits(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], last.limits, last.change, math.floor(now / 1000))
return 2
