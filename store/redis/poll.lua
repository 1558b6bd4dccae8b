-- Returns the facts that came after a version of an epoch, a part at a time, and all that there are
-- if the epoch has changed. It writes nothing.
--
-- KEYS     as in publish.lua
-- ARGV     epoch, version, how many at most
local function int(n) return string.format('%.0f', n) end

local head = redis.call('HMGET', KEYS[4], 'epoch', 'version')
local epoch, version = head[1] or '', tonumber(head[2] or 0)
local after, most = tonumber(ARGV[2]), tonumber(ARGV[3])
if epoch ~= ARGV[1] or after > version then after = 0 end
if after == version then return { epoch, version, 0 } end

local time = redis.call('TIME')
local nanos = string.format('%017.0f000', time[1] * 1000000 + time[2])
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(after), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
local reply, keys = { epoch, version, 0 }, {}
for i = 1, #names, 2 do keys[#keys + 1] = names[i] end
if #keys == 0 then return reply end
for _, fact in ipairs(redis.call('HMGET', KEYS[1], unpack(keys))) do
  if fact and fact:sub(21, 40) > nanos then reply[#reply + 1] = fact end
end
if #keys == most then
  reply[2], reply[3] = tonumber(names[#names]), 1 -- there may be more
end
return reply
