-- The lease goes on, if it is still there.
if redis.call('PEXPIRE', KEYS[1], ARGV[1]) == 1 then return {'OK'} end
return {'LOST'}
