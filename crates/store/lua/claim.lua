-- KEYS[1] instance; ARGV: version, page nonce, lease (ms).
local now = now_millis()
local record = load_record(now)
if not record then
    return { 'gone', '' }
end
if is_repeated(record, ARGV[2]) then
    return { 'dup', record.result }
end
if record.version ~= tonumber(ARGV[1]) then
    return { 'stale', string.format('%.0f', record.version) }
end
if record.lease_end > now then
    return { 'busy', '' }
end
write_lease(ARGV[2], now + tonumber(ARGV[3]))
return { 'claimed', '' }
