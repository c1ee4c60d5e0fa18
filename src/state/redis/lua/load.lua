-- Adds variables with their past, all or none.
local known = begin_write()
if known then return known end
local variables_max, bytes_max = number_arg(), number_arg()
local count, bytes = call('ZCARD', NAMES), session_bytes()
local added = {}
for index = 1, number_arg() do
  local new = {name = arg(), rule = arg(), value = arg(), past = {}}
  local head = {version = number_arg(), bytes = number_arg(), fixed = number_arg()}
  head.until_ms, head.owner, head.past = 0, '', '-'
  local past = {}
  for _ = 1, number_arg() do
    local version, length, value = arg(), arg(), arg()
    new.past[#new.past + 1] = {version, value}
    past[#past + 1] = version .. ':' .. length
  end
  if #past > 0 then head.past = table.concat(past, ',') end
  new.head = head
  count, bytes = count + 1, bytes + head.fixed + head.bytes
  if call('HEXISTS', HEADS, new.name) == 1 then return refuse({'EXISTS', digits(index)}) end
  if count > variables_max then return refuse({'FULL', digits(index)}) end
  if bytes > bytes_max then return refuse({'NOROOM', digits(index), digits(bytes)}) end
  added[index] = new
end
set_session_bytes(bytes)
local reply = {'OK', digits(now_ms())}
for _, new in ipairs(added) do
  local revision = next_revision()
  new.head.id = revision
  local text = text_of(new.head)
  call('ZADD', NAMES, 0, new.name)
  call('HSET', HEADS, new.name, text)
  call('HSET', RULES, new.name, new.rule)
  call('HSET', VALUES, new.name, new.value)
  for _, past in ipairs(new.past) do
    call('HSET', PAST, new.name .. ':' .. past[1], past[2])
  end
  tell('registered', revision, new.name, new.head, '', new.value)
  reply[#reply + 1] = text
end
return commit(reply)
