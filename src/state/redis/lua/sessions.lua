-- Sessions in the order of their ids. Those that have ended by themselves leave the list.
local SESSIONS = KEYS[1]
local after, limit, start = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local reply, from, found = {'OK'}, after == '' and '-' or '(' .. after, 0
while found < limit do
  local page = redis.call('ZRANGEBYLEX', SESSIONS, from, '+', 'LIMIT', 0, 1000)
  if #page == 0 then break end
  for _, id in ipairs(page) do
    from = '(' .. id
    local row = redis.call('HMGET', start .. id, 'incarnation', 'ttl', 'metadata', 'affinity')
    if not row[1] then
      redis.pcall('ZREM', SESSIONS, id)
    elseif found < limit then
      found = found + 1
      reply[#reply + 1] = {id, unpack(row)}
    end
  end
end
return reply
