-- Charges a call in the bucket of now, if it fits: see store.OrderAsk. It follows order.lua.
local known, open = tonumber(ARGV[4]), { tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]) }
local by, guess = tonumber(ARGV[8]), tonumber(ARGV[9])
local every = tonumber(ARGV[16])

-- Reports whether the call fits the window that begins with an argument, with what is in it.
local function fits(i, inside, ...)
  local capacity, margin = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if inside == 0 and (...) == 0 and known + open[by] <= capacity then return true end
  local all = select(by, ...)
  return inside * (1 + margin) + known + guess * (all + open[by]) <= capacity
end

local inside, open1, open2, open3 = sum(tonumber(ARGV[10]))
local ok = fits(10, inside, open1, open2, open3)
if not ok and every > 0 and current - tried > every and fits(13, sum(tonumber(ARGV[13]))) then
  ok, tried = true, current
end
if ok then
  load({ current })
  add(current, known, open[1], open[2], open[3])
end
save()
return { clock, ok and 1 or 0, current, inside, open1, open2, open3, taught, ok and version or 0 }
