-- What the scripts of a session share. In front of each of them.
--
-- KEYS: META (hash: incarnation, ttl, metadata, affinity, revision, bytes), HOST (lives as long as
-- the host's lease), NAMES (zset), HEADS, VALUES, RULES (hashes by name), PAST (hash by
-- name:version), OPS (zset: what became of this host's writes), SESSIONS (zset of ids).
-- A head is "id version bytes fixed_bytes locked_until_ms past owner", past being
-- "version:bytes,…", oldest first, or "-". Times are the server's. Values are never looked into.

local META, HOST, NAMES, HEADS, VALUES, RULES, PAST, OPS, SESSIONS = unpack(KEYS)
local INCARNATION, CHANNEL, OP, LOW, ATTEMPT, INLINE_MAX, OPS_KEPT_MS = unpack(ARGV, 1, 7)

local call = redis.call
local at = 7

local function arg()
  at = at + 1
  return ARGV[at]
end

local function number_arg()
  return tonumber(arg())
end

-- Lua's own form of large numbers has an exponent.
local function digits(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function head_of(text)
  local id, version, bytes, fixed, until_ms, past, owner =
    text:match('^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$')
  return {
    id = id, version = tonumber(version), bytes = tonumber(bytes), fixed = tonumber(fixed),
    until_ms = tonumber(until_ms), past = past, owner = owner,
  }
end

local function text_of(head)
  return table.concat({
    head.id, digits(head.version), digits(head.bytes), digits(head.fixed),
    digits(head.until_ms), head.past, head.owner,
  }, ' ')
end

local function read_head(name)
  local text = call('HGET', HEADS, name)
  if text then return head_of(text), text end
end

local function is_locked(head, owner, now)
  return head.until_ms > now and head.owner ~= owner
end

-- The session was used. Its time is not started again at every use, but so that it is never too
-- short and at most a second too long. The variables live on a little longer: the session alone
-- decides whether they are seen. Also called by reads, which a read-only server refuses: then
-- nothing is extended.
local function keep(ttl)
  if call('PTTL', META) < ttl then
    redis.pcall('PEXPIRE', META, digits(ttl + math.min(1000, math.floor(ttl / 8))))
  end
  for _, key in ipairs({NAMES, HEADS, VALUES, RULES, PAST}) do
    local left = call('PTTL', key)
    if left == -1 or (left >= 0 and left < ttl + 60000) then
      redis.pcall('PEXPIRE', key, digits(2 * ttl + 120000))
    end
  end
end

local function ttl_of_session()
  return tonumber(call('HGET', META, 'ttl'))
end

-- A reply if this host may not use this session, nothing otherwise.
local function closed()
  if call('HGET', META, 'incarnation') ~= INCARNATION then return {'CLOSED'} end
  if call('EXISTS', HOST) == 0 then return {'LOST'} end
end

local function begin_read()
  local refused = closed()
  if not refused then keep(ttl_of_session()) end
  return refused
end

-- Every write has a number; LOW is the lowest that its host still waits for. What a late copy of a
-- write finds: its outcome, that its number has passed, or that a later attempt was refused.
local function begin_write()
  local refused = closed()
  if refused then return refused end
  local low = call('ZSCORE', OPS, 'low')
  if low and tonumber(OP) < tonumber(low) then return {'STALE'} end
  for _, member in ipairs(call('ZRANGEBYSCORE', OPS, OP, OP)) do
    local kind, rest = member:match('^(%a+) %d+ (.*)$')
    if kind == 'done' then
      local reply = cmsgpack.unpack(rest)
      reply[2] = digits(now_ms())
      return reply
    end
    if kind == 'refused' and tonumber(ATTEMPT) <= tonumber(rest) then return {'STALE'} end
  end
end

-- Earlier attempts may still be on their way: they must not find what this one did not find.
local function refuse(reply)
  if tonumber(ATTEMPT) > 1 then
    call('ZADD', OPS, OP, 'refused ' .. OP .. ' ' .. ATTEMPT)
    call('PEXPIRE', OPS, OPS_KEPT_MS)
  end
  return reply
end

local function commit(reply)
  call('ZREMRANGEBYSCORE', OPS, '-inf', '(' .. LOW)
  call('ZADD', OPS, LOW, 'low')
  call('ZADD', OPS, OP, 'done ' .. OP .. ' ' .. cmsgpack.pack(reply))
  call('PEXPIRE', OPS, OPS_KEPT_MS)
  keep(ttl_of_session())
  return reply
end

local function not_found(index)
  local reply = {'NOTFOUND', digits(index)}
  for _, name in ipairs(call('ZRANGE', NAMES, 0, 999)) do reply[#reply + 1] = name end
  return reply
end

local function session_bytes()
  return tonumber(call('HGET', META, 'bytes'))
end

local function set_session_bytes(bytes)
  call('HSET', META, 'bytes', digits(bytes))
end

local function next_revision()
  return digits(call('HINCRBY', META, 'revision', 1))
end

local function tell(kind, revision, name, head, owner, value)
  if value and #value > tonumber(INLINE_MAX) then value = nil end
  local start = {kind, revision, head.id, digits(head.version), #name, #owner, value and 1 or 0}
  call('PUBLISH', CHANNEL, table.concat(start, ' ') .. '\n' .. name .. owner .. (value or ''))
end

-- The past of a variable as a list of {version, bytes}, and all its bytes.
local function past_of(head)
  local past, bytes = {}, 0
  for version, length in head.past:gmatch('(%d+):(%d+)') do
    past[#past + 1] = {version, tonumber(length)}
    bytes = bytes + tonumber(length)
  end
  return past, bytes
end
