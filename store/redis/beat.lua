-- Notes a word of one member and describes the fleet: see store.Fleet. Times are microseconds.
--
-- KEYS[1]  hash: epoch, when any member was last heard of, since when the fleet is
-- KEYS[2]  sorted set: members by when each was last heard of
local member, leaves, nonce = ARGV[1], ARGV[2] == '1', ARGV[3]
local LAPSE, ABSENCE, HOUR = 3000000, 60000000, 3600000000

local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local head = redis.call('HMGET', KEYS[1], 'epoch', 'heard', 'since')
local epoch = head[1] or nonce
local since = tonumber(head[3] or now)
if now - tonumber(head[2] or 0) > LAPSE then since = now end

redis.call('HSET', KEYS[1], 'epoch', epoch, 'heard', int(now), 'since', int(since))
-- After a step back of the clock members are not to be alive until it has caught up.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(now), '+inf')) do
  redis.call('ZADD', KEYS[2], int(now), name)
end
if leaves then
  redis.call('ZREM', KEYS[2], member)
else
  redis.call('ZADD', KEYS[2], int(now), member)
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now - LAPSE - ABSENCE))
for i = 1, 2 do redis.call('PEXPIREAT', KEYS[i], int(math.ceil((now + HOUR) / 1000))) end

local alive = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(now - LAPSE), '+inf')
local rank = 0
for _, name in ipairs(alive) do
  if name < member then rank = rank + 1 end
end
local lapsed = redis.call('ZCARD', KEYS[2]) - #alive
local first = 0
if lapsed > 0 then first = tonumber(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]) end
return { epoch, now, #alive, rank, lapsed, since, first }
