-- The host gives its lease back.
redis.call('DEL', KEYS[1])
return {'OK'}
