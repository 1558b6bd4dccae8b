-- Grants as much of one ask as its limits leave: see store.Ask. Times are microseconds, slices are
-- numbered from 1970. What needs memory is written first: a server without any refuses it before
-- anything has changed.
--
-- KEYS[1]  hash: epoch, sums, days, numbers of the first slice that may hold anything and of the
--          latest, and a ring of slices: r<place> requests, t<place> tokens
-- KEYS[2]  hash: the last number of each member whose changes were applied, and when that was
-- KEYS[3]  hash: the slots of each member, and until when
local member, nonce = ARGV[1], ARGV[2]
local rpm, tpm, rpd, concurrency = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local wanted, tokens, least = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local slots, underway = tonumber(ARGV[10]), tonumber(ARGV[11])
local ends = { tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]) }
local number, profile = tonumber(ARGV[15]), ARGV[16] == '1'

local SLICE, PLACES, KEEP, HOLD = 250000, 243, 60750000, 2250000
local MINUTE, DAY = 60000000, 86400000000
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

local head = redis.call('HMGET', KEYS[1], 'epoch', 'latest', 'requests', 'tokens', 'pruned',
  'd' .. ARGV[12], 'd' .. ARGV[13], 'd' .. ARGV[14], 'first')
local epoch = head[1] or nonce
local slice = floor(clock / SLICE)
local latest = tonumber(head[2] or slice)
local used, usedTokens = tonumber(head[3] or 0), tonumber(head[4] or 0)
local first = tonumber(head[9] or slice)
local pruned = tonumber(head[5] or clock)
local days = { tonumber(head[6] or 0), tonumber(head[7] or 0), tonumber(head[8] or 0) }

-- What was read of the ring, and will be written.
local requestsAt, tokensAt, touched, dropped = {}, {}, {}, {}

local function read(from, to) -- numbers of slices
  local names = {}
  for s = from, to do
    names[#names + 1] = 'r' .. s % PLACES
    names[#names + 1] = 't' .. s % PLACES
  end
  local values = redis.call('HMGET', KEYS[1], unpack(names))
  for s = from, to do
    local i = 2 * (s - from)
    requestsAt[s % PLACES] = tonumber(values[i + 1] or 0)
    tokensAt[s % PLACES] = tonumber(values[i + 2] or 0)
  end
end

-- Adds to a slice, and takes back at most what it has. Returns what was added of the requests.
local function add(s, requests, more)
  local place = s % PLACES
  if not requestsAt[place] then read(s, s) end
  requests, more = max(requests, -requestsAt[place]), max(more, -tokensAt[place])
  requestsAt[place] = requestsAt[place] + requests
  tokensAt[place] = tokensAt[place] + more
  used, usedTokens = used + requests, usedTokens + more
  touched[place] = true
  first = min(first, s)
  return requests
end

-- The window's time never goes back. It stands still until the clock has caught up. If that takes
-- as long as a slice is kept, all that is counted is counted as of now.
local now = clock
if slice <= latest - PLACES then
  local requests, more = used, usedTokens
  used, usedTokens = 0, 0
  for place = 0, PLACES - 1 do
    requestsAt[place], tokensAt[place], dropped[place] = 0, 0, true
  end
  first, latest = slice, slice
  add(slice, requests, more)
elseif slice < latest then
  now = latest * SLICE
else
  local from = max(latest + 1, slice - PLACES + 1)
  if from <= slice then read(from, slice) end
  for s = from, slice do
    local place = s % PLACES
    if requestsAt[place] ~= 0 or tokensAt[place] ~= 0 then
      used, usedTokens = used - requestsAt[place], usedTokens - tokensAt[place]
      requestsAt[place], tokensAt[place], dropped[place] = 0, 0, true
    end
  end
  latest = slice
end
first = max(first, latest - PLACES + 1)

-- Returns which day a time lies in, and 0 if none of those known.
local function dayOf(t)
  for i = 1, 3 do
    if ends[i] > t then return i end
  end
  return 0
end

local applied = false
if number > 0 then
  local last = redis.call('HGET', KEYS[2], member)
  applied = number > tonumber(last and last:match('^%d+') or 0)
end
if applied then
  for i = 17, #ARGV, 3 do
    local at, requests, more = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    if at > now then
      -- A member's idea of the time is not exact. What it takes back was not counted yet.
      at, requests, more = now, max(requests, 0), max(more, 0)
    end
    local s = floor(at / SLICE)
    if s > latest - PLACES then requests = add(s, requests, more) end
    local day = dayOf(at)
    if day > 0 and ends[day] > now then days[day] = max(days[day] + requests, 0) end
  end
end

-- Slots end by the clock.
local held, others, lapsed, slotted = 0, 0, {}, {}
local all = redis.call('HGETALL', KEYS[3])
for i = 1, #all, 2 do
  local count, till = all[i + 1]:match('^(%d+) (%d+)$')
  if all[i] == member or tonumber(till) <= clock then
    lapsed[#lapsed + 1] = all[i]
  else
    others = others + tonumber(count)
    if tonumber(till) > clock + HOLD then -- the clock went back
      slotted[#slotted + 1], slotted[#slotted + 2] = all[i], count .. ' ' .. int(clock + HOLD)
    end
  end
end
if concurrency > 0 then held = max(min(slots, concurrency - others), underway, 0) end

local day = dayOf(now)
local left = math.huge
if rpm > 0 then left = max(rpm - used, 0) end
if rpd > 0 and day > 0 then left = min(left, max(rpd - days[day], 0)) end
local many = wanted > 4
if many and left < math.huge then left = ceil(left / 4) end
local granted = max(min(wanted, left), 0)
if concurrency > 0 then granted = max(min(granted, held - underway), 0) end

local grantedTokens = 0
if tpm > 0 and granted > 0 then
  local room = max(tpm - usedTokens, 0)
  if room < least then
    if least > tpm and usedTokens == 0 then
      granted, grantedTokens = 1, least
    else
      granted = 0
    end
  else
    if many then room = max(ceil(room / 4), least) end
    grantedTokens = max(ceil(tokens * granted / wanted), least)
    if grantedTokens > room then
      granted, grantedTokens = max(floor(granted * room / grantedTokens), 1), room
    end
  end
end
if granted > 0 or grantedTokens > 0 then add(latest, granted, grantedTokens) end
if day > 0 then days[day] = days[day] + granted end

local prune = math.abs(clock - pruned) > 10 * MINUTE
if prune then pruned = clock end

-- Write.
local set = {
  'epoch', epoch, 'latest', int(latest), 'requests', int(used), 'tokens', int(usedTokens),
  'pruned', int(pruned), 'first', int(first),
}
local unset = {}
for place in pairs(touched) do
  if requestsAt[place] ~= 0 or tokensAt[place] ~= 0 then
    dropped[place] = nil
    set[#set + 1], set[#set + 2] = 'r' .. place, int(requestsAt[place])
    set[#set + 1], set[#set + 2] = 't' .. place, int(tokensAt[place])
  else
    dropped[place] = true
  end
end
for place in pairs(dropped) do
  unset[#unset + 1], unset[#unset + 2] = 'r' .. place, 't' .. place
end
local expires = clock + 2 * MINUTE
for i = 1, 3 do
  local name = 'd' .. ARGV[11 + i]
  if ends[i] > now and days[i] > 0 then
    set[#set + 1], set[#set + 2] = name, int(days[i])
    expires = max(expires, ends[i] + MINUTE)
  elseif head[5 + i] then
    unset[#unset + 1] = name
  end
end
redis.call('HSET', KEYS[1], unpack(set))
if applied then redis.call('HSET', KEYS[2], member, int(number) .. ' ' .. int(clock)) end
if held > 0 then
  slotted[#slotted + 1], slotted[#slotted + 2] = member, int(held) .. ' ' .. int(clock + HOLD)
end
if #slotted > 0 then redis.call('HSET', KEYS[3], unpack(slotted)) end

-- Forget.
if #unset > 0 then redis.call('HDEL', KEYS[1], unpack(unset)) end
for _, name in ipairs(lapsed) do
  if name ~= member or held == 0 then redis.call('HDEL', KEYS[3], name) end
end
if prune then
  local numbers = redis.call('HGETALL', KEYS[2])
  for i = 1, #numbers, 2 do
    if tonumber(numbers[i + 1]:match('%d+$')) < clock - DAY then redis.call('HDEL', KEYS[2], numbers[i]) end
  end
end
expires = int(ceil(expires / 1000))
redis.call('PEXPIREAT', KEYS[1], expires)
redis.call('PEXPIREAT', KEYS[2], expires)
redis.call('PEXPIREAT', KEYS[3], int(ceil((clock + HOLD) / 1000) + 1))

-- Calls visit with each slice that counts, the earliest first, until it returns true.
local function each(visit)
  local from, size = first, 4
  while from <= latest do
    local to = min(from + size - 1, latest)
    read(from, to)
    for s = from, to do
      local requests, more = requestsAt[s % PLACES], tokensAt[s % PLACES]
      if (requests ~= 0 or more ~= 0) and visit(s, requests, more) then return end
    end
    from, size = to + 1, min(2 * size, 32)
  end
end

local function fits(requests, more)
  if rpm > 0 and requests >= rpm then return false end
  return tpm <= 0 or more <= tpm - least or (least > tpm and more == 0)
end

local following = 0
if not fits(used, usedTokens) then
  local requests, more = used, usedTokens
  each(function(s, r, t)
    if used == requests and usedTokens == more and s > first then
      redis.call('HSET', KEYS[1], 'first', int(s))
    end
    requests, more = requests - r, more - t
    if fits(requests, more) then
      following = s * SLICE + KEEP
      return true
    end
  end)
end
if rpd > 0 and day > 0 and days[day] >= rpd then following = max(following, ends[day]) end

local reply = {
  epoch, clock, now, granted, grantedTokens, held, used, usedTokens, day > 0 and days[day] or 0, day,
  others + held, following,
}
if profile then
  each(function(s, r, t)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = s * SLICE, r, t
  end)
end
return reply
