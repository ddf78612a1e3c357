-- An instance is one string: a fixed header in big-endian (format, version, nonce of the last advance, nonce and end of
-- the lease, absolute end, approved challenge), then the last result, then the body. Offsets below count from 0.
local HEADER = '>BI4c16c16I8I8BI4I2'
local HEADER_SIZE = 60
local NONE = string.rep('\0', 16)
local LEASE_OFFSET = 21
local LEASE = '>c16I8'
local APPROVED_OFFSET = 53
local APPROVED = '>BI4'

local function now_millis()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The instance of KEYS[1]; nil when it is gone or past its end.
local function load_record(now)
    local stored = redis.call('GET', KEYS[1])
    if not stored then
        return nil
    end
    if #stored < HEADER_SIZE or string.byte(stored, 1) ~= 1 then
        return error('unknown format of an instance')
    end
    local record = {}
    local _, has_approved, approved, result_size
    _, record.version, record.last_nonce, record.lease_nonce, record.lease_end, record.end_at, has_approved, approved, result_size =
        struct.unpack(HEADER, stored)
    if record.end_at <= now then
        return nil
    end
    record.approved = has_approved == 1 and approved or nil
    record.result = string.sub(stored, HEADER_SIZE + 1, HEADER_SIZE + result_size)
    return record
end

-- Whether the last advance was by this page nonce.
local function is_repeated(record, nonce)
    return record.version > 1 and record.last_nonce == nonce
end

local function pack_record(record, result, body)
    local approved = record.approved
    return struct.pack(HEADER, 1, record.version, record.last_nonce, record.lease_nonce, record.lease_end, record.end_at,
        approved and 1 or 0, approved or 0, #result) .. result .. body
end

local function write_lease(nonce, lease_end)
    redis.call('SETRANGE', KEYS[1], LEASE_OFFSET, struct.pack(LEASE, nonce, lease_end))
end
