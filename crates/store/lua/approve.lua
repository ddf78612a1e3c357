-- KEYS[1] instance; ARGV: challenge. A late call never takes the approval of a newer challenge away.
local record = load_record(now_millis())
if not record then
    return 0
end
local challenge = tonumber(ARGV[1])
if not record.approved or challenge > record.approved then
    redis.call('SETRANGE', KEYS[1], APPROVED_OFFSET, struct.pack(APPROVED, 1, challenge))
end
return 1
