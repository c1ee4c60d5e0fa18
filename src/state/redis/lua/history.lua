-- The past of a variable and its present value, or one version of it.
local refused = begin_read()
if refused then return refused end
local name, id, wanted = arg(), arg(), arg()
local head, text = read_head(name)
if not head then return not_found(1) end
local reply = {'OK', digits(now_ms()), text, head.id ~= id and call('HGET', RULES, name) or false}
local versions = {'GONE', digits(head.version)}
for _, past in ipairs((past_of(head))) do
  versions[#versions + 1] = past[1]
  if wanted == '' or wanted == past[1] then
    reply[#reply + 1] = past[1]
    reply[#reply + 1] = call('HGET', PAST, name .. ':' .. past[1])
  end
end
local present = digits(head.version)
if wanted == '' or wanted == present then
  reply[#reply + 1] = present
  reply[#reply + 1] = call('HGET', VALUES, name)
end
if #reply == 4 then return versions end
return reply
