-- KEYS[1] instance; ARGV: version, page nonce.
local record = load_record(now_millis())
if record and record.version == tonumber(ARGV[1]) and record.lease_nonce == ARGV[2] then
    write_lease(NONE, 0)
end
return 1
