-- A line as it is; with the departed bitmap for an edge that starts or has
-- missed a message. Changes nothing.
-- KEYS 1 line  2 order  3 collected  4 departed  5 comebacks  6 late
-- ARGV 1 clock (us) or ''  2 1 with bitmap and late scores, 0 without
-- Returns {line as describe_line tells, departed bitmap or '', scores of the
-- late}. A server that was restarted counts as settling.
-- Cost O(late) and a copy of the bitmap (125 KB a million).
local l = read_line(KEYS[1])
l.settling = l.settling or l.run_id ~= run_id()
local line = describe_line(l, KEYS[2], KEYS[3], KEYS[5], KEYS[6])
if ARGV[2] ~= '1' then return { line, '', {} } end
local late = redis.call('ZRANGE', KEYS[6], 0, -1, 'WITHSCORES')
local scores = {}
for i = 2, #late, 2 do scores[#scores + 1] = late[i] end
return { line, redis.call('GET', KEYS[4]) or '', scores }
