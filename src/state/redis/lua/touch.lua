-- The session was used: its time starts again.
return begin_read() or {'OK'}
