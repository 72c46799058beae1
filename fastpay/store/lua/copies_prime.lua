-- Apply one commit of a tenant to its copies.
-- KEYS[1]   the tenant's mark: a generation (8 bytes), when it last moved (16 digits), the sequence (16 digits)
--           and a seal of it (16 bytes)
-- KEYS[2..] copies of what the commit changed
-- ARGV[1]   the sequence before the commit
-- ARGV[2]   the sequence after it
-- ARGV[3]   the seal of the latter
-- ARGV[4]   a generation, for where a new one begins
-- ARGV[5]   for how many milliseconds all of it is kept
-- ARGV[6..] the copies, without their generation; empty where there is to be none
-- Returns 1 where the mark moved on, 2 where a generation began, 0 where all of it was known.
local before, after = tonumber(ARGV[1]), tonumber(ARGV[2])
local mark = redis.call('get', KEYS[1])
local sequence = mark and #mark == 56 and tonumber(string.sub(mark, 25, 40))
local generation, outcome
if sequence and sequence == before then
    generation, outcome = string.sub(mark, 1, 8), 1
elseif sequence and sequence >= after then
    return 0
else
    -- There is no mark, or a commit in between is missing: nothing is known of what was there before.
    generation, outcome = ARGV[4], 2
end
local time = redis.call('time')
local moved = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('set', KEYS[1], generation .. string.format('%016.0f%016.0f', moved, after) .. ARGV[3], 'px', ARGV[5])
for place = 2, #KEYS do
    local copy = ARGV[place + 4]
    if copy == '' then
        redis.call('del', KEYS[place])
    else
        redis.call('set', KEYS[place], generation .. copy, 'px', ARGV[5])
    end
end
return outcome
