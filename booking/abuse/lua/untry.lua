-- Gives back what a payment was counted for, and lets another one for its hold begin. Of those
-- that are one request the one that was made does, or the last of those that were not; over
-- which another request has begun is counted for good.
--
-- KEYS  what says that a payment for the hold has begun, as try.lua packs it, then the counters
-- ARGV  1 what the request is called, empty if others for its hold may begin beside it
--       2 1 if it was made  then for each counter how much it was counted for, and the ms after
--       which that begins anew
-- Returns 1 if this gave it back, else 0
-- Cost: O(keys)
local known = ARGV[1] ~= '' and redis.call('GET', KEYS[1])
local request, requests, ends
if known then
    request, requests, ends = cmsgpack.unpack(known)
end
local ours = request == ARGV[1]
if ARGV[1] ~= '' and ARGV[2] ~= '1' then
    if not ours then
        return 0
    elseif requests > 1 then
        redis.call('SET', KEYS[1], cmsgpack.pack(request, requests - 1, ends), 'KEEPTTL')
        return 0
    end
end
if ours then
    redis.call('DEL', KEYS[1])
end
for i = 2, #KEYS do
    redis.call('DECRBY', KEYS[i], ARGV[2 * i - 1])
    redis.call('PEXPIRE', KEYS[i], ARGV[2 * i], 'NX') -- it may have begun anew
end
return 1
