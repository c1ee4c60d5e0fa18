-- Variables by name: for each its head, its rule unless the host has that of this id, and its value
-- if wanted. A name that must be there and is not refuses the whole.
local refused = begin_read()
if refused then return refused end
local wants_value, is_strict = arg() == '1', arg() == '1'
local reply = {'OK', digits(now_ms())}
for index = 1, number_arg() do
  local name, id = arg(), arg()
  local head, text = read_head(name)
  if not head and is_strict then return not_found(index) end
  reply[#reply + 1] = text or false
  reply[#reply + 1] = head and head.id ~= id and call('HGET', RULES, name) or false
  reply[#reply + 1] = head and wants_value and call('HGET', VALUES, name) or false
end
return reply
