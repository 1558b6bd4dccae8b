-- What the scripts of paces have in common: the state of a pace, as in store.PacerState. Moments
-- are microseconds, durations nanoseconds.
--
-- KEYS[1]  hash: the pace of each location, as numbers in a row
-- ARGV     gain, tolerance, growth, floor, and seconds of burst
local gain, tolerance, growth = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lowest, burst = tonumber(ARGV[4]), tonumber(ARGV[5])

local PERIOD, SOON, STALE, LONGEST, HASTE, SECOND = 500e6, 250e6, 10e9, 2e9, 1300e6, 1e9
local ANSWERS, MOST, FALL, FREEDOM, HOUR = 3, 2, 4, 1e9, 3600000000
local FIELDS = {
  'rate', 'burst', 'tokens', 'last', 'sent', 'refused', 'began', 'good', 'fell', 'lag', 'guessed', 'returned',
  -- of the period before
  'wasBegan', 'wasEnded', 'wasSent', 'wasRefused', 'open',
}
local FORMAT = '<' .. string.rep('d', #FIELDS)
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

local function seconds(nanos) return floor(nanos / SECOND) + nanos % SECOND / SECOND end

local function zero()
  local s = {}
  for _, field in ipairs(FIELDS) do s[field] = 0 end
  return s
end

-- Returns the pace of a location, and whether there is one.
local function load(name)
  local s, stored = zero(), redis.call('HGET', KEYS[1], name)
  if stored then
    for i = 1, min(#FIELDS, #stored / 8) do -- a former version stored fewer
      s[FIELDS[i]] = struct.unpack('<d', stored, 8 * i - 7)
    end
  end
  return s, stored
end

local function save(names, states)
  local set = {}
  for i, s in ipairs(states) do
    local numbers = {}
    for j, field in ipairs(FIELDS) do numbers[j] = s[field] end
    set[2 * i - 1], set[2 * i] = names[i], struct.pack(FORMAT, unpack(numbers))
  end
  redis.call('HSET', KEYS[1], unpack(set))
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ceil((clock + HOUR) / 1000)))
end

-- Returns now, or the latest time seen if that is later. Tokens come until then.
local function clamp(s, now)
  if now > s.last then
    if s.rate > 0 then s.tokens = min(s.tokens + seconds((now - s.last) * 1000) * s.rate, s.burst) end
    s.last = now
  end
  return s.last
end

local function set(s, rate)
  if s.rate == 0 then s.tokens = 1 end
  s.rate = min(max(rate, lowest), FREEDOM)
  s.burst = floor(max(s.rate * burst, 1))
  s.tokens = min(s.tokens, s.burst)
end

-- Begins a period.
local function begin(s, now) s.sent, s.refused, s.began = 0, 0, now end

-- Returns the pace of a location, which begins with a seed if it says nothing.
local function location(name, seed, comes)
  local s = load(name)
  local idle = max(clock - s.last, 0) * 1000
  if seed > 0 and (s.rate == 0 or idle > (comes and SECOND or STALE)) then
    local last, lag = s.last, s.lag
    s = zero()
    s.last, s.lag = last, lag
    local now = clamp(s, clock)
    begin(s, now)
    set(s, seed)
    s.good = now - 2 * HASTE / 1000
  end
  return s
end

-- Sets the rate by what became of the requests of the period before, which was so long.
local function judge(s, now, long)
  local current = s.rate > 0 and s.rate or math.huge
  local within = seconds(long)
  local refused = s.wasRefused
  local sent = max(s.wasSent, refused)
  local tolerated = tolerance * sent
  if refused > tolerated then
    local rate, least = gain * (sent - refused) / within, sent / FALL / within
    if s.rate == 0 then least = 0 end
    set(s, min(max(rate, least), current))
    s.fell, s.good = now, now
    s.guessed = (rate < least or s.rate <= lowest) and 1 or 0
    begin(s, now)
  elseif refused > tolerated / 2 then
    s.good, s.guessed = now, 0
  elseif s.rate > 0 and sent >= current * within / 2 then
    local by = MOST
    if s.guessed == 0 then by = min(growth * 2 ^ (seconds((now - s.good) * 1000) / seconds(HASTE)), MOST) end
    set(s, current * math.exp(by * min(within, 1)))
  end
end

-- Judges the period before if all of its refusals have come, and ends the present one if it is over.
local function review(s, now)
  if s.open == 1 then
    if now == s.wasEnded or (now - s.wasEnded) * 1000 < s.lag then return end
    s.open = 0
    if s.wasRefused == 0 or s.wasSent >= ANSWERS then
      judge(s, now, (s.wasEnded - s.wasBegan) * 1000)
    else
      s.began, s.sent, s.refused = s.wasBegan, s.sent + s.wasSent, s.refused + s.wasRefused
      s.wasBegan, s.wasEnded, s.wasSent, s.wasRefused = 0, 0, 0, 0
    end
  end
  local elapsed = (now - s.began) * 1000
  local known = elapsed - s.lag
  local soon = max(s.sent * (known / elapsed), s.refused) -- of these it is known
  if s.refused > 0 and elapsed > STALE then
    begin(s, now)
  elseif known >= SOON and soon >= ANSWERS and 2 * s.refused >= soon then -- it is clear already
    s.wasBegan, s.wasEnded, s.wasSent, s.wasRefused, s.open = s.began, s.began + known / 1000, soon, s.refused, 0
    judge(s, now, known)
    begin(s, now)
  elseif elapsed < PERIOD or s.sent < 1 then
    return
  elseif s.refused == 0 or s.sent >= ANSWERS then
    s.wasBegan, s.wasEnded, s.wasSent, s.wasRefused, s.open = s.began, now, s.sent, s.refused, 1
    begin(s, now)
  elseif s.rate > 0 and s.rate <= lowest then
    begin(s, now)
  end
end
