-- Keep copies of what the database was read for, all as of one place in a tenant's sequence.
-- KEYS[1]   the tenant's mark: a generation (8 bytes), when it last moved (16 digits), the sequence (16 digits)
--           and a seal of it (16 bytes)
-- KEYS[2..] copies
-- ARGV[1]   the sequence that the database had come to when it was read
-- ARGV[2]   how many milliseconds a mark may stay behind before the commits that it waits for count as lost
-- ARGV[3]   the seal of the sequence
-- ARGV[4]   a generation, for where a new one begins
-- ARGV[5]   for how many milliseconds all of it is kept
-- ARGV[6..] the copies, without their generation; empty where there is to be none
-- Returns 1 where they are kept, 2 where a generation began with them, 0 where they are too old.
local read = tonumber(ARGV[1])
local mark = redis.call('get', KEYS[1])
local sequence = mark and #mark == 56 and tonumber(string.sub(mark, 25, 40))
if sequence and sequence > read then
    return 0
end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local generation, outcome = ARGV[4], 2
if sequence then
    local waited = now - (tonumber(string.sub(mark, 9, 24)) or 0)
    if sequence == read or waited <= tonumber(ARGV[2]) then
        generation, outcome = string.sub(mark, 1, 8), 1
    end
end
if outcome == 2 then
    redis.call('set', KEYS[1], generation .. string.format('%016.0f%016.0f', now, read) .. ARGV[3], 'px', ARGV[5])
end
for place = 2, #KEYS do
    local copy = ARGV[place + 4]
    if copy == '' then
        redis.call('del', KEYS[place])
    else
        redis.call('set', KEYS[place], generation .. copy, 'px', ARGV[5])
    end
end
return outcome
