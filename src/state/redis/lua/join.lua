-- A session that is there: its time starts again.
local META, HOST = unpack(KEYS)
local found = redis.call('HMGET', META, 'incarnation', 'ttl', 'metadata', 'affinity')
if not found[1] then return {'NONE'} end
if redis.call('EXISTS', HOST) == 0 then return {'LOST'} end
redis.call('PEXPIRE', META, found[2])
return {'OK', unpack(found)}
