-- Gives a variable to an owner for a time, or takes it back when the time is 0.
local known = begin_write()
if known and known[1] ~= 'OK' then return known end
local name, owner, time_ms, id = arg(), arg(), number_arg(), arg()

-- The rest of a locked variable is not part of the outcome that is remembered: it is read.
local function with_rest(reply)
  local head = head_of(reply[3])
  return {
    reply[1], reply[2], reply[3],
    head.id ~= id and call('HGET', RULES, name) or false, call('HGET', VALUES, name) or false,
  }
end

if known then return with_rest(known) end
local head, text = read_head(name)
if not head then return refuse(not_found(1)) end
local now = now_ms()
if is_locked(head, owner, now) then return refuse({'LOCKED', '1', digits(now), text}) end
local was_locked = head.until_ms > now
if time_ms > 0 then
  head.until_ms, head.owner = now + time_ms, owner
else
  head.until_ms, head.owner = 0, ''
end
text = text_of(head)
call('HSET', HEADS, name, text)
if time_ms > 0 then
  tell('locked', next_revision(), name, head, owner, nil)
elseif was_locked then
  tell('unlocked', next_revision(), name, head, '', nil)
end
return with_rest(commit({'OK', digits(now), text}))
