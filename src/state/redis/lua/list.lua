-- Variables in the order of their names whose names a pattern of `*` and `?` matches; all of them,
-- past included, for a snapshot.
local refused = begin_read()
if refused then return refused end
local after, limit, pattern, wants_past = arg(), number_arg(), arg(), arg() == '1'

-- On a mismatch only the last `*` takes one more byte.
local function matches(name)
  local p, n, retry_p, retry_n = 1, 1, nil, nil
  while n <= #name or p <= #pattern do
    local wanted = pattern:sub(p, p)
    if wanted == '*' then
      p, retry_p, retry_n = p + 1, p + 1, n
    elseif n <= #name and wanted ~= '' and (wanted == '?' or wanted == name:sub(n, n)) then
      p, n = p + 1, n + 1
    elseif retry_p and retry_n <= #name then
      p, n, retry_n = retry_p, retry_n + 1, retry_n + 1
    else
      return false
    end
  end
  return true
end

local reply, found = {'OK', digits(now_ms())}, 0
local from = after == '' and '-' or '(' .. after
for _, name in ipairs(call('ZRANGEBYLEX', NAMES, from, '+')) do
  if found >= limit then break end
  if pattern == '' or matches(name) then
    found = found + 1
    local head, text = read_head(name)
    local values = {}
    for _, past in ipairs(wants_past and (past_of(head)) or {}) do
      values[#values + 1] = past[1]
      values[#values + 1] = call('HGET', PAST, name .. ':' .. past[1])
    end
    reply[#reply + 1] = name
    reply[#reply + 1] = text
    reply[#reply + 1] = call('HGET', RULES, name)
    reply[#reply + 1] = call('HGET', VALUES, name)
    reply[#reply + 1] = values
  end
end
return reply
