-- Carries out one(KEYS, ARGV), which the script in the middle is, for each of the
-- calls that came together. They are as if they came one after the other; an
-- error of one is its own answer and does not touch the others.
--
-- KEYS  1 … 6 those of the performance (see clock.lua)  7 … the hold of each call
-- ARGV  of each call, one after the other: how many arguments, the arguments
-- Returns the answer of each call.
-- Cost: the sum of what they cost
local answers, at = {}, 1
for i = 7, #KEYS do
    local count = tonumber(ARGV[at])
    local _, answer = pcall(one, { KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[i] }, { unpack(ARGV, at + 1, at + count) })
    if type(answer) == 'string' then
        answer = redis.error_reply(answer)
    end
    answers[#answers + 1] = answer
    at = at + count + 1
end
return answers
