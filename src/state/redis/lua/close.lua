-- Ends a session and forgets all of it; one that has ended is left as it is.
if call('HGET', META, 'incarnation') == INCARNATION then
  if call('EXISTS', HOST) == 0 then return {'LOST'} end
  local id, closings = arg(), arg()
  call('UNLINK', META)
  call('ZREM', SESSIONS, id)
  call('PUBLISH', closings, INCARNATION)
end
call('UNLINK', NAMES, HEADS, VALUES, RULES, PAST, OPS)
return {'OK'}
