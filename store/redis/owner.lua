-- Merges a fact about an owner. It has a key of its own, for there are many.
--
-- KEYS[1]  string: the fact, as in publish.lua, until it expires
local fact = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nanos = string.format('%017.0f000', now)
if fact:sub(21, 40) <= nanos then return now end

local old = redis.call('GET', KEYS[1])
if old and old:sub(21, 40) > nanos then
  local wins = fact:sub(1, 20) > old:sub(1, 20)
  if fact:sub(41, 41) == '1' and old:sub(41, 41) == '1' then
    wins = fact:sub(21, 40) > old:sub(21, 40)
  end
  if not wins then return now end
end
-- The key is gone up to a millisecond late. Who reads it looks at the time, too.
local expires = math.floor(tonumber(fact:sub(21, 37)) / 1000) + 1
redis.call('SET', KEYS[1], fact, 'PXAT', string.format('%.0f', expires))
return now
