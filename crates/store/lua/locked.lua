-- KEYS[1] counter, as charge.lua writes it. Whether its lock is in force; changes nothing.
local HEADER = '>BI4I8I8B'
local stored = redis.call('GET', KEYS[1])
if not stored then
    return 0
end
if #stored < 22 or string.byte(stored, 1) ~= 1 then
    return error('unknown format of a counter')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local _, _, window_end, locked_until = struct.unpack(HEADER, stored)
return (now < window_end and now < locked_until) and 1 or 0
