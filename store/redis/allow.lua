-- Counts a request as sent to the first location that may be sent one: see store.PaceAsk. It
-- follows pacer.lua.
--
-- ARGV     of each location: its name, its seed, and whether that comes from a pace of its own
local function allow(s)
  local now = clamp(s, clock)
  if s.rate > 0 then
    review(s, now)
    if s.returned >= 1 then
      s.returned = s.returned - 1
    elseif s.tokens >= 1 then
      s.tokens = s.tokens - 1
    else
      return false
    end
  end
  if s.sent == 0 and (now - s.began) * 1000 > STALE then s.began, s.refused = now, 0 end
  s.sent = s.sent + 1
  return true
end

-- Returns how long it takes until allow would return true.
local function waits(s)
  local at = clamp(s, clock)
  if s.rate == 0 or s.returned >= 1 or s.tokens >= 1 then return 0 end
  return (at - clock) * 1000 + ceil((1 - s.tokens) / s.rate * SECOND) + 1
end

local names, states, rates = {}, {}, {}
local index, wait = -1, 0
for i = 6, #ARGV, 3 do
  local n = #names + 1
  local s = location(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == '1')
  if index < 0 and allow(s) then index, wait = n - 1, 0 end
  rates[n] = struct.pack('<d', s.rate)
  local w = waits(s) -- a location that is asked for is in use, whether it is allowed or not
  if index < 0 and (n == 1 or w < wait) then wait = w end
  names[n], states[n] = ARGV[i], s
end
if #names > 0 then save(names, states) end
return { clock, index, wait, table.concat(rates) }
