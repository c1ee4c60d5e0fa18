-- A new session. The word tells this opening from others, so that it can be asked for again.
local META, HOST, SESSIONS, COUNTER = unpack(KEYS)
local id, word, ttl, metadata, affinity = unpack(ARGV)
local found = redis.call('HMGET', META, 'incarnation', 'word')
if found[1] then
  if found[2] == word then return {'OK', found[1]} end
  return {'EXISTS'}
end
if redis.call('EXISTS', HOST) == 0 then return {'LOST'} end
local incarnation = next_number(COUNTER)
redis.call('HSET', META, 'incarnation', incarnation, 'word', word, 'ttl', ttl,
  'metadata', metadata, 'affinity', affinity, 'revision', 0, 'bytes', 0)
redis.call('PEXPIRE', META, ttl)
redis.call('ZADD', SESSIONS, 0, id)
return {'OK', incarnation}
