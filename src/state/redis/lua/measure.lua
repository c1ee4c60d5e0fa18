-- How much the session holds: variables, bytes, revision.
local refused = begin_read()
if refused then return refused end
return {'OK', digits(call('ZCARD', NAMES)), digits(session_bytes()), call('HGET', META, 'revision')}
