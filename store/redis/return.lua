-- Gives back one grant whose request was not sent. It follows pacer.lua.
--
-- ARGV     the location's name
local s, known = load(ARGV[6])
if not known then return 0 end
clamp(s, clock)
s.sent = s.sent - 1
if s.rate > 0 then s.returned = min(s.returned + 1, s.burst) end
save({ ARGV[6] }, { s })
return 1
