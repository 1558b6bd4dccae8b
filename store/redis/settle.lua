-- Applies one change to an order: see store.OrderChange. It follows order.lua.
local teaches = settle(ARGV[4])
save()
return { clock, lesson, teaches }
