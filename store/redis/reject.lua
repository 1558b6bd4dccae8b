-- Notes that a request met contention: see store.PaceRejection. It follows pacer.lua.
--
-- ARGV     the location's name, its seed, and whether that comes from a pace of its own; and how
--          long ago the request was sent
local after = tonumber(ARGV[9])
local s = location(ARGV[6], tonumber(ARGV[7]), ARGV[8] == '1')
local now = clamp(s, clock)
local d = min((now - clock) * 1000 + after, LONGEST)
if d > s.lag then
  s.lag = d
else
  s.lag = s.lag - floor((s.lag - max(d, 0)) / 8)
end
-- Compares when it was sent with a moment: 0 or more is not before that.
local function since(moment) return (clock - moment) * 1000 - after end
if since(s.began) > 0 or since(s.began) == 0 and s.refused < s.sent then
  s.refused = s.refused + 1
elseif since(s.fell) > 0 then
  if s.open == 1 and since(s.wasBegan) >= 0 then
    s.wasRefused = s.wasRefused + 1
  else
    s.refused = s.refused + 1
  end
end
review(s, now)
save({ ARGV[6] }, { s })
return { clock, struct.pack('<d', s.rate) }
