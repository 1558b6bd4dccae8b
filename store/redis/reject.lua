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
if (clock - s.fell) * 1000 >= after then s.refused = s.refused + 1 end
review(s, now)
save({ ARGV[6] }, { s })
return { clock, struct.pack('<d', s.rate) }
