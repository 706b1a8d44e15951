-- claim.lua (a part of the drain script): who gets the next job.
--
-- ARGV   claim: consumer, number, free suspects, n, n * (queue, free slots), m, m * full account
--        mine:  consumer
-- Output claim: { 'OK', ms to the next due or -1, { id, fence, claimed at, packed job, ... } } or { 'UNREGISTERED' }
--        mine:  { id, fence, claimed at, packed job, ... }
--
-- Sources take turns in a queue's ring, chats and unordered jobs take turns in a source's ready list.

local SUSPECT_WAIT_MS = 200
local CLAIM_LIMIT = 64            -- jobs that one claim may start in one queue: no call holds Redis for long
local PASS_LIMIT = 64             -- sources and chats that it may pass over there

-- Turn the ring past its first source, which leaves it when nothing of it is ready.
local function turn_ring(queue, source)
  if redis.call('EXISTS', ready_key(queue, source)) == 1 then
    redis.call('LMOVE', ring_key(queue), ring_key(queue), 'RIGHT', 'LEFT')
  else
    redis.call('RPOP', ring_key(queue))
  end
end

-- Take the first entry of a source's ready list out of it; the next source's turn comes.
local function take_entry(queue, source)
  redis.call('RPOP', ready_key(queue, source))
  touched[queue] = true
  turn_ring(queue, source)
end

-- A source or an entry that may not start now waits in `due` and comes back by itself.
local function park_source(queue, source, ms)
  redis.call('RPOP', ring_key(queue))
  touched[queue] = true
  wait_until('S' .. queue .. '|' .. source, ms)
end

local function park_entry(queue, source, entry, ms)
  take_entry(queue, source)
  wait_until(place_of(source, entry), ms)
end

-- The id an entry stands for; for a chat that is held: nil and until when.
local function resolve(source, entry)
  local name = string.sub(entry, 2)
  if not is_chat(entry) then return name end
  local group = source .. '|' .. name
  local held = held_until('g' .. group)
  if held then return nil, held end
  return head_of(group)
end

local function start(job, packed, claiming)
  if is_suspect(job) then claiming.free_suspects = claiming.free_suspects - 1 end
  if job.settled or job.held_until then      -- somebody runs it (again): an old owner's repeat is LOST from now on
    job.settled = nil
    job.held_until = nil
    save_job(job)
  end
  claiming.jobs[#claiming.jobs + 1] = { job = job, packed = packed }
  return true
end

-- Offer the first source of a ring its turn. True when a job was started.
local function give_turn(queue, source, claiming)
  local held = held_until('s' .. source)
  if held then return park_source(queue, source, held) end
  local entry = redis.call('LINDEX', ready_key(queue, source), -1)
  local id, chat_held = resolve(source, entry)
  if not id then return park_entry(queue, source, entry, chat_held) end
  local job, packed = load_job(id)
  if job.held_until and job.held_until > NOW then return park_entry(queue, source, entry, job.held_until) end
  if claiming.full[job.account] then return turn_ring(queue, source) end
  if is_suspect(job) and claiming.free_suspects < 1 then
    return park_entry(queue, source, entry, NOW + SUSPECT_WAIT_MS)
  end
  take_entry(queue, source)
  return start(job, packed, claiming)
end

local function claim_queue(queue, free, claiming)
  local passes = PASS_LIMIT
  while free > 0 and passes > 0 do
    local source = redis.call('LINDEX', ring_key(queue), -1)
    if not source then return end
    if give_turn(queue, source, claiming) then free = free - 1 else passes = passes - 1 end
  end
end

local function pack_flight(job, fence)
  local flight = { fence = fence, at = NOW, queue = job.queue }
  flight.source, flight.account, flight.group = job.source, job.account, job.group
  return cjson.encode(flight)
end

-- Give the started jobs their fences and write down who runs them: one write for all of a claim.
local function write_flights(consumer, number, jobs)
  local first, fields, listed = 0, {}, {}
  if #jobs > 0 then first = redis.call('INCRBY', FENCE, #jobs) - #jobs + 1 end
  for i, started in ipairs(jobs) do
    local job, fence = started.job, string.format('%.0f', first + i - 1)
    fields[#fields + 1], fields[#fields + 2] = job.id, pack_flight(job, fence)
    for _, value in ipairs({ job.id, fence, NOW, started.packed }) do listed[#listed + 1] = value end
  end
  local last = cjson.encode({ number = number, first = first, jobs = #jobs })
  redis.call('HSET', flight_key(consumer), LAST_CLAIM, last, unpack(fields))
  return listed
end

-- What the last claim of a consumer was: its number, and the fences it gave out.
local function read_last_claim(consumer)
  local packed = redis.call('HGET', flight_key(consumer), LAST_CLAIM)
  return packed and cjson.decode(packed) or { number = 0 }
end

local function take_claim()
  local claim = { free = {}, full = {}, jobs = {} }
  claim.consumer, claim.number, claim.free_suspects = take(), take_number(), take_number()
  for i = 1, take_number() do claim.free[i] = { queue = take(), slots = take_number() } end
  for _ = 1, take_number() do claim.full[take()] = true end
  return claim
end

function moves.claim()
  local claim = take_claim()
  if not has_lease(claim.consumer) then return { 'UNREGISTERED' } end
  local last = read_last_claim(claim.consumer)
  if claim.number == last.number then
    return { 'OK', next_due(), list_flights(claim.consumer, last.first, last.jobs) }
  end
  if claim.number < last.number then return { 'OK', next_due(), {} } end   -- late, over a connection given up since
  promote_due()
  for _, wanted in ipairs(claim.free) do claim_queue(wanted.queue, math.min(wanted.slots, CLAIM_LIMIT), claim) end
  local listed = write_flights(claim.consumer, claim.number, claim.jobs)
  return { 'OK', next_due(), listed }
end

function moves.mine()
  return list_flights(take(), 0, math.huge)
end
