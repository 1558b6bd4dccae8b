-- Returns the facts of some names that have not expired.
--
-- KEYS[1]  hash: facts by their names
-- ARGV     names
local time = redis.call('TIME')
local nanos = string.format('%017.0f000', time[1] * 1000000 + time[2])
local reply = {}
for _, fact in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do
  if fact and fact:sub(21, 40) > nanos then reply[#reply + 1] = fact end
end
return reply
