-- What the scripts of orders have in common: the state of an order, as in store.OrderState. Times
-- are microseconds, buckets are numbered from 1970. Sums of windows are of blocks of buckets as far
-- as whole ones lie in them. What needs memory is written first.
--
-- KEYS[1]  hash: epoch, bucket of now, version, and what the order has learned
-- KEYS[2]  hash: a ring of buckets <place> and one of blocks b<place>: the number of each, and its
--          charge
-- KEYS[3]  sorted set: places of buckets by the version in which they changed
-- KEYS[4]  hash: the last number of each member's pulls, and the bucket in which it came
local nonce, width, places = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local CELL, CHANGE = '<ddddd', '<ddddddd'
local BLOCK, CHUNK, MINUTE, DAY, LESSON = 49, 1000, 60000000, 86400000000, 1000000
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local blocks = floor(places / BLOCK) + 2

local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

local head = redis.call('HMGET', KEYS[1],
  'epoch', 'current', 'version', 'lesson', 'taught', 'taught at', 'tried', 'count', 'pruned')
local epoch, current = head[1] or nonce, tonumber(head[2] or 0)
local version, lesson, taught = tonumber(head[3] or 0), tonumber(head[4] or 0), tonumber(head[5] or 0)
local taughtAt, tried, count = tonumber(head[6] or 0), tonumber(head[7] or 0), tonumber(head[8] or 0)
local pruned = tonumber(head[9] or clock)

-- While the clock is back, the order waits for it. If it is back by more than the order's time, the
-- order begins anew.
local to = floor(clock / width)
local anew = current - to >= places
if anew then
  epoch, current, taughtAt, tried = nonce, to, 0, 0
end
current = max(current, to)

-- Calls f with what is stored of some fields of the ring, and their places in the list.
local function each(names, f)
  if anew then return end
  for from = 1, #names, CHUNK do
    local values = redis.call('HMGET', KEYS[2], unpack(names, from, min(from + CHUNK - 1, #names)))
    for i = 1, #values do
      if values[i] then f(values[i], from + i - 1) end
    end
  end
end

-- Returns the sum of the bucket of now and so many before it.
local function sum(window)
  local names, numbers, n = {}, {}, 0
  local from = max(current - min(window, places - 1), 0)
  local whole = ceil(from / BLOCK)
  for bucket = from, min(whole * BLOCK - 1, current) do
    n = n + 1
    names[n], numbers[n] = bucket % places, bucket
  end
  for block = whole, floor(current / BLOCK) do
    n = n + 1
    names[n], numbers[n] = 'b' .. block % blocks, block
  end
  local known, open1, open2, open3 = 0, 0, 0, 0
  each(names, function(value, i)
    local number, k, o1, o2, o3 = struct.unpack(CELL, value)
    if number == numbers[i] then
      known, open1, open2, open3 = known + k, open1 + o1, open2 + o2, open3 + o3
    end
  end)
  return known, open1, open2, open3
end

-- Cells of the ring that were read, and those that will be written.
local cells, touched, versions = {}, {}, {}

-- Reads some buckets, and their blocks.
local function load(buckets)
  local names = {}
  local function want(name)
    if not cells[name] then
      cells[name] = { -1 }
      names[#names + 1] = name
    end
  end
  for i = 1, #buckets do
    want(int(buckets[i] % places))
    want('b' .. floor(buckets[i] / BLOCK) % blocks)
  end
  each(names, function(value, i) cells[names[i]] = { struct.unpack(CELL, value) } end)
end

local function put(name, number, known, open1, open2, open3)
  local cell = cells[name]
  if cell[1] ~= number then
    cell = { number, 0, 0, 0, 0 }
    cells[name] = cell
  end
  cell[2], cell[3], cell[4], cell[5] = cell[2] + known, cell[3] + open1, cell[4] + open2, cell[5] + open3
  touched[name] = cell
end

-- Adds to a bucket that was loaded.
local function add(bucket, ...)
  if bucket < 0 or current - bucket >= places then return end
  version = version + 1
  local block = floor(bucket / BLOCK)
  put(int(bucket % places), bucket, ...)
  put('b' .. block % blocks, block, ...)
  versions[bucket % places] = version
end

-- Applies a row of changes. Returns whether the last one teaches.
local function settle(changes)
  local teaches = 0
  local buckets = {}
  for at = 1, #changes, 56 do
    buckets[#buckets + 1] = min(struct.unpack('<d', changes, at), current)
  end
  load(buckets)
  for at = 1, #changes, 56 do
    local bucket, known, open1, open2, open3, refused, heard = struct.unpack(CHANGE, changes, at)
    add(min(bucket, current), known, open1, open2, open3)
    teaches = 0
    if refused == 1 and (heard >= lesson or current - taughtAt > floor(LESSON / width)) then
      lesson, taughtAt, teaches = max(lesson, heard) + 1, current, 1
    end
  end
  return teaches
end

-- Calls a command with a key and a list, a part at a time.
local function write(command, key, list)
  for from = 1, #list, CHUNK do
    redis.call(command, key, unpack(list, from, min(from + CHUNK - 1, #list)))
  end
end

local function save()
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'current', int(current), 'version', int(version),
    'lesson', int(lesson), 'taught', int(taught), 'taught at', int(taughtAt), 'tried', int(tried),
    'count', int(count), 'pruned', int(pruned))
  if anew then
    redis.call('DEL', KEYS[2], KEYS[3])
    anew = false
  end
  local set, scores = {}, {}
  for name, cell in pairs(touched) do
    set[#set + 1], set[#set + 2] = name, struct.pack(CELL, unpack(cell))
  end
  for place, v in pairs(versions) do
    scores[#scores + 1], scores[#scores + 2] = int(v), int(place)
  end
  write('HSET', KEYS[2], set)
  write('ZADD', KEYS[3], scores)
  local left = int(ceil((max(clock, current * width) + places * width + MINUTE) / 1000))
  local forgotten = int(ceil((clock + DAY) / 1000))
  redis.call('PEXPIREAT', KEYS[1], forgotten)
  redis.call('PEXPIREAT', KEYS[2], left)
  redis.call('PEXPIREAT', KEYS[3], left)
  redis.call('PEXPIREAT', KEYS[4], forgotten)
end
