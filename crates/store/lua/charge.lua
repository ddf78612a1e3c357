-- KEYS[1] counter; ARGV: once, allowed, window (ms), and with a lock: first lock, backoff, longest lock (ms).
-- State: format, count, window end, locked until, size of the last once; then that once.
-- The twin of short_lived/in_process/counter.rs.
local HEADER = '>BI4I8I8B'
local HEADER_SIZE = 22
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local once, allowed, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local count, window_end, locked_until, last = 0, nil, 0, ''
local stored = redis.call('GET', KEYS[1])
if stored then
    if #stored < HEADER_SIZE or string.byte(stored, 1) ~= 1 then
        return error('unknown format of a counter')
    end
    local _, stored_count, stored_end, stored_lock = struct.unpack(HEADER, stored)
    if stored_end > now then
        count, window_end, locked_until = stored_count, stored_end, stored_lock
        last = string.sub(stored, HEADER_SIZE + 1)
    end
end

if once ~= '' and once == last then
    return { 1, count }
end
if now < locked_until then
    return { 0, locked_until - now }
end
count = count + 1
if ARGV[4] then
    locked_until = 0
    if count >= allowed then
        local grown = tonumber(ARGV[4]) * tonumber(ARGV[5]) ^ (count - allowed)
        locked_until = now + math.min(grown, tonumber(ARGV[6]))
    end
    window_end = math.max(now, locked_until) + window
else
    window_end = window_end or now + window
    if count > allowed then
        return { 0, window_end - now }
    end
end
local life = window_end - now
if life > 0 then
    redis.call('SET', KEYS[1], struct.pack(HEADER, 1, count, window_end, locked_until, #once) .. once, 'PX', string.format('%.0f', life))
end
return { 1, count }
