-- KEYS[1] instance; ARGV: version, page nonce, end, idle (ms), result, body, challenge that is awaited or ''.
local now = now_millis()
local record = load_record(now)
if not record then
    return { 'gone', '' }
end
if is_repeated(record, ARGV[2]) then
    return { 'dup', record.result }
end
local leased_to_another = record.lease_end > now and record.lease_nonce ~= ARGV[2]
if record.version ~= tonumber(ARGV[1]) or leased_to_another then
    return { 'stale', '' }
end
record.version = record.version + 1
record.last_nonce = ARGV[2]
record.lease_nonce = NONE
record.lease_end = 0
if record.approved ~= tonumber(ARGV[7]) then
    record.approved = nil
end
record.end_at = tonumber(ARGV[3])
local life = math.min(tonumber(ARGV[4]), record.end_at - now)
if life <= 0 then
    redis.call('DEL', KEYS[1])
    return { 'gone', '' }
end
redis.call('SET', KEYS[1], pack_record(record, ARGV[5], ARGV[6]), 'PX', string.format('%.0f', life))
return { 'ok', string.format('%.0f', record.version) }
