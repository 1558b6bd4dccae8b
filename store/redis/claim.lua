-- Claims a key for one member, or gives the member's own claim back: see store.Store.
--
-- KEYS[1]  string: the member that has the claim, until it expires
local member, ttl = ARGV[1], tonumber(ARGV[2]) -- milliseconds

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= member then return 0 end
if ttl > 0 then
  redis.call('SET', KEYS[1], member, 'PX', ARGV[2])
  return 1
end
if holder then redis.call('DEL', KEYS[1]) end
return 0
