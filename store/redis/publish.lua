-- Merges facts about anything but owners, and tells subscribers of those that win: see store.Fact.
-- A fact begins with At and Until, 20 digits each, and whether it extends, one digit.
--
-- KEYS[1]  hash: facts by their names
-- KEYS[2]  sorted set: names by the version in which the fact came
-- KEYS[3]  sorted set: names by when the fact expires, in microseconds
-- KEYS[4]  hash: epoch, version
-- ARGV     channel, nonce, name, fact, name, fact, ...
local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nanos = string.format('%017.0f000', now)

local head = redis.call('HMGET', KEYS[4], 'epoch', 'version')
local epoch, version = head[1] or ARGV[2], tonumber(head[2] or 0)

local function wins(fact, name)
  if fact:sub(21, 40) <= nanos then return false end
  local old = redis.call('HGET', KEYS[1], name)
  if not old or old:sub(21, 40) <= nanos then return true end
  if fact:sub(41, 41) == '1' and old:sub(41, 41) == '1' then return fact:sub(21, 40) > old:sub(21, 40) end
  return fact:sub(1, 20) > old:sub(1, 20)
end

local told = {}
for i = 3, #ARGV, 2 do
  local name, fact = ARGV[i], ARGV[i + 1]
  if wins(fact, name) then
    version = version + 1
    told[#told + 1] = fact
    redis.call('HSET', KEYS[4], 'epoch', epoch, 'version', int(version))
    redis.call('HSET', KEYS[1], name, fact)
    redis.call('ZADD', KEYS[2], int(version), name)
    redis.call('ZADD', KEYS[3], fact:sub(21, 37), name)
  end
end

-- Forget a few that have expired.
local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(now), 'LIMIT', 0, 128)
if #expired > 0 then
  redis.call('HDEL', KEYS[1], unpack(expired))
  redis.call('ZREM', KEYS[2], unpack(expired))
  redis.call('ZREM', KEYS[3], unpack(expired))
end

if #told > 0 then
  local last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  local expires = int(math.ceil(tonumber(last[2]) / 1000) + 60000)
  for i = 1, 4 do redis.call('PEXPIREAT', KEYS[i], expires) end
  redis.call('PUBLISH', ARGV[1], table.concat(told))
end
return now
