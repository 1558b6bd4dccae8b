-- Returns a fact about an owner, if there is one that has not expired.
--
-- KEYS[1]  string: the fact, as in publish.lua
local fact = redis.call('GET', KEYS[1])
if not fact then return {} end
local time = redis.call('TIME')
if fact:sub(21, 40) <= string.format('%017.0f000', time[1] * 1000000 + time[2]) then return {} end
return { fact }
