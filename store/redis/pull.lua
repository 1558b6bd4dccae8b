-- Takes what a member has learned about an order, and returns what has changed: see
-- store.OrderPull. It follows order.lua. Numbers of evidence are doubles in a row.
local member, number, heard = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[8])
local before, after, counted = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])

-- Returns evidence after shifts: the share that is kept, how many numbers, and what is added.
local function shift(evidence, shifts)
  local shifted, at, i = {}, 1, 1
  while at <= #shifts do
    local keep, n = struct.unpack('<dd', shifts, at)
    at = at + 16
    for _ = 1, n do
      local old = i <= #evidence and struct.unpack('<d', evidence, i) or 0
      shifted[#shifted + 1] = struct.pack('<d', keep * old + struct.unpack('<d', shifts, at))
      at, i = at + 8, i + 8
    end
  end
  return table.concat(shifted) .. evidence:sub(i)
end

local evidence
local last = redis.call('HGET', KEYS[4], member)
local taken = number > tonumber(last and last:match('^%d+') or 0)
if taken then
  settle(ARGV[6])
  if (count == 0) == (counted == 0) then
    if #ARGV[7] > 0 then
      evidence = shift(redis.call('HGET', KEYS[1], 'evidence') or '', ARGV[7])
      count = count + 1
    end
    taught = max(taught, min(heard, lesson))
  end
end
local prune = math.abs(clock - pruned) > MINUTE
if prune then pruned = clock end

if evidence then redis.call('HSET', KEYS[1], 'evidence', evidence) end
if taken then redis.call('HSET', KEYS[4], member, int(number) .. ' ' .. int(current)) end
save()
if prune then
  local all, absent = redis.call('HGETALL', KEYS[4]), {}
  for i = 1, #all, 2 do
    if (current - tonumber(all[i + 1]:match('%d+$'))) * width > MINUTE then absent[#absent + 1] = all[i] end
  end
  write('HDEL', KEYS[4], absent)
end

local whole = before ~= epoch
local buckets = {}
each(redis.call('ZRANGEBYSCORE', KEYS[3], whole and '-inf' or '(' .. int(after), '+inf'), function(value)
  if current - struct.unpack('<d', value) < places then buckets[#buckets + 1] = value end
end)
if whole or counted ~= count then evidence = redis.call('HGET', KEYS[1], 'evidence') end
return {
  clock, epoch, version, count, taught, whole and 1 or 0, table.concat(buckets),
  (whole or counted ~= count) and evidence or '',
}
