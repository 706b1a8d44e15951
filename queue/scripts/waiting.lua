-- waiting.lua (a part of the drain script): what waits for a time.
--
-- `due` holds places and reasons. A place is where a job, a chat or a source lies until its time: "J<id>",
-- "G<source>|<chat>", "S<queue>|<source>". A reason is a hold: "g<source>|<chat>", "s<source>". What is ripe leaves its
-- place for the ready list or the ring; claim meets it there and parks it anew while a reason holds it. So a reason is
-- only ever added or prolonged, and nobody searches for what it holds.

local DUE_LIMIT = 100             -- entries promoted in one call
local NEVER = 8640000000000000    -- the time of what is parked until somebody says otherwise

-- The place in which an entry of a source's ready list waits.
local function place_of(source, entry)
  if is_chat(entry) then return 'G' .. source .. entry end
  return 'J' .. string.sub(entry, 2)
end

local function wait_until(place, ms) redis.call('ZADD', DUE, ms, place) end

local function prolong(reason, ms) redis.call('ZADD', DUE, 'GT', ms, reason) end

-- A time of `due` that has not come, or nil.
local function in_future(score)
  local ms = tonumber(score or 0)
  if ms > NOW then return ms end
  return nil
end

local function head_of(group) return redis.call('LINDEX', group_key(group), -1) end

local promote_place = {}

function promote_place.J(id)
  local job = load_job(id)
  make_ready(job.queue, job.source, '=' .. id, 'LPUSH')
end

function promote_place.G(group)
  local job = load_job(head_of(group))
  make_ready(job.queue, job.source, entry_of(job), 'LPUSH')
end

function promote_place.S(place)
  local queue, source = string.match(place, '^(.-)|(.*)$')
  join_ring(queue, source)
end

-- Reasons end by going away.
function promote_place.g() end
function promote_place.s() end

local function promote_due()
  local ripe = redis.call('ZRANGEBYSCORE', DUE, '-inf', NOW, 'LIMIT', 0, DUE_LIMIT)
  if #ripe == 0 then return 0 end
  redis.call('ZREM', DUE, unpack(ripe))
  for _, entry in ipairs(ripe) do promote_place[string.sub(entry, 1, 1)](string.sub(entry, 2)) end
  return #ripe
end

-- Milliseconds until something of `due` is ripe, -1 when nothing there will be.
local function next_due()
  local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  if #first == 0 or tonumber(first[2]) >= NEVER then return -1 end
  return math.max(0, tonumber(first[2]) - NOW)
end
