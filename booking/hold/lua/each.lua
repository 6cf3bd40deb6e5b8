-- Carries out one(), which the script in the middle is, with its own KEYS and ARGV for each of the
-- calls that came together. They are as if they came one after the other; an
-- error of one is its own answer and does not touch the others.
--
-- keys  1 … 6 those of the performance (see clock.lua)  7 … the hold of each call
-- args  of each call, one after the other: how many arguments, the arguments
-- Returns the answer of each call.
-- Cost: the sum of what they cost
KEYS = { unpack(keys, 1, 6) }
local answers, at = {}, 1
for i = 7, #keys do
    local count = tonumber(args[at])
    KEYS[7], ARGV = keys[i], { unpack(args, at + 1, at + count) }
    now = tonumber(ARGV[1]) or time()
    local _, answer = pcall(one)
    if type(answer) == 'string' then
        answer = redis.error_reply(answer)
    end
    answers[i - 6] = answer
    at = at + count + 1
end
write()
return answers
