-- drain.lua: leases and upkeep, and the end of the drain script: prelude, waiting, parking, flights, claim, settle,
-- operators, drain.
-- The drain script has every move that empties the queue or keeps it going. It may write when Redis's memory is full
-- (the loader sees to it), so that a full Redis can always be emptied.
--
-- KEYS   [1] the prefix of every key
-- ARGV   register, beat, deregister: consumer
--        upkeep: nothing
--        hold:   'g' (a group) or 's' (a source), name, ms
--        claim, mine: see claim.lua; ack, retry, release: see settle.lua; the others: see operators.lua
-- Output register: 'OK' or 'REPLACED'; beat: 'OK' or 'LOST'; deregister, hold: 'OK'
--        upkeep:   { promoted, { reaped consumer, ... }, reaped jobs, poisoned, shifted ms }

local LEASE_MS = 10000
local OUTAGE_MS = 3000            -- upkeep silent for longer: Redis was away, nobody could beat
local BEAT_SLACK_MS = 1000        -- upkeep runs this often, so that much of the silence is no outage
local REAP_LIMIT = 8              -- consumers reaped in one upkeep
local TRIM_LIMIT = 100            -- dead jobs trimmed in one upkeep
local DEAD_KEPT_MS = 7776000000   -- 90 days
local DEAD_KEPT = 100000

-- Leases -------------------------------------------------------------------------------------------------------------

-- "<host>:<slot>" and the boot time of "<host>:<slot>:<boot ns>".
local function split_name(consumer) return string.match(consumer, '^(.*):(%d+)$') end

-- Whether a boot time is before another; as text, for a Lua number cannot hold nanoseconds.
local function is_before(boot, other)
  if #boot ~= #other then return #boot < #other end
  return boot < other
end

-- The other consumer that holds a lease for the same host and slot, or nil.
local function find_rival(consumer)
  local slot = split_name(consumer)
  for _, other in ipairs(redis.call('ZRANGE', CONSUMERS, 0, -1)) do
    if other ~= consumer and split_name(other) == slot then return other end
  end
  return nil
end

local function renew(consumer) redis.call('ZADD', CONSUMERS, NOW + LEASE_MS, consumer) end

function moves.register()
  local consumer = take()
  local rival = find_rival(consumer)
  if rival then
    local _, boot = split_name(consumer)
    local _, rival_boot = split_name(rival)
    if is_before(boot, rival_boot) then return 'REPLACED' end
    reap(rival, true)
  end
  renew(consumer)
  redis.call('SET', UPKEEP, NOW, 'NX')
  return 'OK'
end

function moves.beat()
  local consumer = take()
  if not has_lease(consumer) then return 'LOST' end
  renew(consumer)
  return 'OK'
end

-- An orderly end is no crash: nothing of what still ran becomes suspect.
function moves.deregister()
  reap(take(), false)
  return 'OK'
end

-- Upkeep -------------------------------------------------------------------------------------------------------------

-- Give back to every lease the time in which Redis was away. Returns that time.
local function forgive_outage()
  local gap = NOW - tonumber(redis.call('GET', UPKEEP) or NOW)
  redis.call('SET', UPKEEP, NOW)
  if gap <= OUTAGE_MS then return 0 end
  local shift, leases = gap - BEAT_SLACK_MS, redis.call('ZRANGE', CONSUMERS, 0, -1, 'WITHSCORES')
  for i = 1, #leases, 2 do
    redis.call('ZADD', CONSUMERS, math.min(leases[i + 1] + shift, NOW + LEASE_MS), leases[i])
  end
  return shift
end

local function reap_expired()
  local names, jobs, poisoned = redis.call('ZRANGEBYSCORE', CONSUMERS, '-inf', NOW, 'LIMIT', 0, REAP_LIMIT), 0, 0
  for _, consumer in ipairs(names) do
    local its_jobs, its_poisoned = reap(consumer, true)
    jobs, poisoned = jobs + its_jobs, poisoned + its_poisoned
  end
  return names, jobs, poisoned
end

local function trim_dead()
  forget_dead(redis.call('ZRANGEBYSCORE', DEAD, '-inf', NOW - DEAD_KEPT_MS, 'LIMIT', 0, TRIM_LIMIT))
  local excess = redis.call('ZCARD', DEAD) - DEAD_KEPT
  if excess > 0 then forget_dead(redis.call('ZRANGE', DEAD, 0, math.min(excess, TRIM_LIMIT) - 1)) end
end

function moves.upkeep()
  local shifted = forgive_outage()
  local promoted = promote_due()
  local names, jobs, poisoned = reap_expired()
  trim_dead()
  return { promoted, names, jobs, poisoned, shifted }
end

-- A hold is a reason; claim parks what it meets of it.
function moves.hold()
  local kind, name, ms = take(), take(), take_number()
  prolong(kind .. name, NOW + ms)
  return 'OK'
end

return run_moves()
