-- Whether the session's time has passed, or how much of it is left (another host has used it).
if call('HGET', META, 'incarnation') == INCARNATION then
  if call('EXISTS', HOST) == 0 then return {'LOST'} end
  local left = math.min(call('PTTL', META), ttl_of_session())
  return {'ALIVE', digits(math.max(1, left))}
end
call('UNLINK', NAMES, HEADS, VALUES, RULES, PAST, OPS)
if call('EXISTS', META) == 0 then call('ZREM', SESSIONS, arg()) end
return {'OK'}
