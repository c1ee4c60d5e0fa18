-- Writes values, all or none. The host has held each value against the rule of the variable with
-- the id it names, and reckoned it from the version it names as base, if any.
local known = begin_write()
if known then return known end
local owner, only_checks = arg(), arg() == '1'
local bytes_max, history_max, history_bytes_max = number_arg(), number_arg(), number_arg()

local function changed(index, name, id, is_reckoned)
  local head, text = read_head(name)
  local rule = head.id ~= id and call('HGET', RULES, name) or false
  local value = is_reckoned and call('HGET', VALUES, name) or false
  return {'CHANGED', digits(index), digits(now_ms()), text, rule, value}
end

-- The value that is there joins the past, within the limits of history.
local function remember(name, head)
  local past, bytes = past_of(head)
  past[#past + 1] = {digits(head.version), head.bytes}
  bytes = bytes + head.bytes
  local first = 1
  while first <= #past and (#past - first + 1 > history_max or bytes > history_bytes_max) do
    if first < #past then call('HDEL', PAST, name .. ':' .. past[first][1]) end
    bytes = bytes - past[first][2]
    first = first + 1
  end
  local kept = {}
  for index = first, #past do
    kept[#kept + 1] = past[index][1] .. ':' .. digits(past[index][2])
  end
  head.past = '-'
  if #kept > 0 then
    call('HSET', PAST, name .. ':' .. digits(head.version), call('HGET', VALUES, name))
    head.past = table.concat(kept, ',')
  end
end

local now, before = now_ms(), session_bytes()
local after, largest, writes = before, 1, {}
for index = 1, number_arg() do
  local name, id, base, expected = arg(), arg(), arg(), arg()
  local bytes, value = number_arg(), arg()
  local head = read_head(name)
  if not head then return refuse(not_found(index)) end
  local version = digits(head.version)
  if head.id ~= id or (base ~= '' and base ~= version) then
    return refuse(changed(index, name, id, base ~= ''))
  end
  if is_locked(head, owner, now) then
    return refuse({'LOCKED', digits(index), digits(now), text_of(head)})
  end
  if expected ~= '' and expected ~= version then
    return refuse({'CONFLICT', digits(index), version})
  end
  if bytes > head.bytes then largest = index end
  after = after + bytes - head.bytes
  writes[index] = {name = name, head = head, bytes = bytes, value = value}
end
if only_checks then return refuse({'OK', digits(now)}) end
if after > bytes_max and after > before then
  return refuse({'NOROOM', digits(largest), digits(after)})
end

set_session_bytes(after)
local reply = {'OK', digits(now)}
for _, write in ipairs(writes) do
  local name, head = write.name, write.head
  remember(name, head)
  head.version, head.bytes = head.version + 1, write.bytes
  local text = text_of(head)
  call('HSET', VALUES, name, write.value)
  call('HSET', HEADS, name, text)
  tell('written', next_revision(), name, head, '', write.value)
  reply[#reply + 1] = text
end
return commit(reply)
