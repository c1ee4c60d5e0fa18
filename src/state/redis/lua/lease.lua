-- A lease for a host: a number, and a key that lives as long as the host renews it.
local epoch = next_number(KEYS[1])
redis.call('SET', ARGV[1] .. epoch, 'alive', 'PX', ARGV[2])
return {'OK', epoch}
