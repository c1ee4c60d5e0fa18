-- Takes a variable away, with its past.
local known = begin_write()
if known then return known end
local name, owner, expected = arg(), arg(), arg()
local head, text = read_head(name)
if not head then return refuse(not_found(1)) end
local now = now_ms()
if is_locked(head, owner, now) then return refuse({'LOCKED', '1', digits(now), text}) end
if expected ~= '' and expected ~= digits(head.version) then
  return refuse({'CONFLICT', '1', digits(head.version)})
end
set_session_bytes(session_bytes() - head.fixed - head.bytes)
for _, past in ipairs((past_of(head))) do call('HDEL', PAST, name .. ':' .. past[1]) end
call('HDEL', HEADS, name)
call('HDEL', VALUES, name)
call('HDEL', RULES, name)
call('ZREM', NAMES, name)
tell('deleted', next_revision(), name, head, '', nil)
return commit({'OK', digits(now)})
