-- KEYS[1] instance; ARGV: end, idle (ms), body. Answers 1 when made.
local now = now_millis()
local end_at = tonumber(ARGV[1])
local life = math.min(tonumber(ARGV[2]), end_at - now)
if life <= 0 then
    return 0
end
local record = { version = 1, last_nonce = NONE, lease_nonce = NONE, lease_end = 0, end_at = end_at }
local made = redis.call('SET', KEYS[1], pack_record(record, '', ARGV[3]), 'PX', string.format('%.0f', life), 'NX')
return made and 1 or 0
