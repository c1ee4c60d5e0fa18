-- In front of the scripts that give a number: never given before, also when the server has lost
-- everything, because it is at least the server's time in microseconds.
local function next_number(key)
  local time = redis.call('TIME')
  local last = tonumber(redis.call('GET', key) or '0')
  local number = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
  redis.call('SET', key, number)
  return number
end
