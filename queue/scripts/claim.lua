-- claim.lua (a part of the drain script): who gets the next job.
--
-- ARGV   claim: consumer, number, free suspects, n, n * queue
--        queue: name, free slots, room of an account, n, n * (account, its room): slots that it may still take
--        mine:  consumer
-- Output claim: { 'OK', ms to the next due or -1, { id, fence, claimed at, packed job, ... } } or { 'UNREGISTERED' }
--               0 ms: claim again, there was more to look at than one claim may
--        mine:  { id, fence, claimed at, packed job, ... }
--
-- Sources take turns in a queue's ring, chats and unordered jobs take turns in a source's ready list. A source of an
-- account without room is skipped: it keeps its place in the ring. Where many are skipped, the others of that account
-- are parked as its crowd, and one comes back for each slot of the room that there is later.

local SUSPECT_WAIT_MS = 200
local CLAIM_LIMIT = 64            -- jobs that one claim may start in one queue: no call holds Redis for long
local PASS_LIMIT = 64             -- sources and chats that it may pass over there
local SKIP_LIMIT = 8              -- sources without room that may stay in the ring
local FENCES_AT_ONCE = 1000       -- that a consumer takes from the counter

-- Take a source out of the ring, in which some skipped ones stand before it.
local function leave_ring(wanted, source)
  if wanted.skipped == 0 then
    redis.call('RPOP', ring_key(wanted.queue))
  else
    redis.call('LREM', ring_key(wanted.queue), -1, source)
  end
end

-- Turn the ring past a source, which leaves it when nothing of it is ready.
local function turn_ring(wanted, source)
  local stays, ring = redis.call('EXISTS', ready_key(wanted.queue, source)) == 1, ring_key(wanted.queue)
  if stays and wanted.skipped == 0 then
    redis.call('LMOVE', ring, ring, 'RIGHT', 'LEFT')
    return
  end
  leave_ring(wanted, source)
  if stays then redis.call('LPUSH', ring, source) end
end

-- Take the first entry of a source's ready list out of it; the next source's turn comes.
local function take_entry(wanted, source)
  redis.call('RPOP', ready_key(wanted.queue, source))
  touched[wanted.queue] = true
  turn_ring(wanted, source)
end

-- A source or an entry that may not start now waits in `due` and comes back by itself.
local function park_source(wanted, source, ms)
  leave_ring(wanted, source)
  touched[wanted.queue] = true
  wait_until('S' .. wanted.queue .. '|' .. source, ms)
end

local function park_entry(wanted, source, entry, ms)
  take_entry(wanted, source)
  wait_until(place_of(source, entry), ms)
end

local function park_paused(wanted, source, stop)
  leave_ring(wanted, source)
  park(wanted.queue, source, stop, NEVER)
end

-- Pass over a source whose account has no room.
local function skip(wanted, source, account, stops)
  if wanted.skipped < SKIP_LIMIT then
    wanted.skipped = wanted.skipped + 1
    return
  end
  local crowd = 'f' .. wanted.queue .. '|' .. account
  leave_ring(wanted, source)
  park(wanted.queue, source, crowd, NOW + CROWD_WAIT_MS)
  if not stops[crowd] then redis.call('SADD', STOPS, crowd) end
  stops[crowd] = true
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

local function room_of(wanted, account) return wanted.rooms[account] or wanted.room end

-- Offer a source of a ring its turn. True when a job was started.
local function give_turn(wanted, source, claiming)
  local stops, source_stop = claiming.stops, 's' .. source
  if stops[source_stop] then return park_paused(wanted, source, source_stop) end
  local held = held_until(source_stop)
  if held then return park_source(wanted, source, held) end
  local entry = redis.call('LINDEX', ready_key(wanted.queue, source), -1)
  local id, chat_held = resolve(source, entry)
  if not id then return park_entry(wanted, source, entry, chat_held) end
  local job, packed = load_job(id)
  local account_stop, room = 'a' .. job.account, room_of(wanted, job.account)
  if stops[account_stop] then return park_paused(wanted, source, account_stop) end
  if job.held_until and job.held_until > NOW then return park_entry(wanted, source, entry, job.held_until) end
  if room < 1 then return skip(wanted, source, job.account, stops) end
  if is_suspect(job) and claiming.free_suspects < 1 then
    return park_entry(wanted, source, entry, NOW + SUSPECT_WAIT_MS)
  end
  take_entry(wanted, source)
  wanted.rooms[job.account] = room - 1
  return start(job, packed, claiming)
end

-- Let as many of each account's crowd come back as it has room for. Returns whether there were any.
local function relieve_crowds(wanted, stops)
  local relieved, prefix = false, 'f' .. wanted.queue .. '|'
  for stop in pairs(stops) do
    if string.sub(stop, 1, #prefix) == prefix then
      local room = math.min(room_of(wanted, string.sub(stop, #prefix + 1)), wanted.slots)
      if room > 0 then
        relieved = true
        if unpark(stop, room) then
          redis.call('SREM', STOPS, stop)
          stops[stop] = nil
        end
      end
    end
  end
  return relieved
end

local function claim_queue(wanted, claiming)
  if claiming.stops['q' .. wanted.queue] then return end
  local passes = PASS_LIMIT
  relieve_crowds(wanted, claiming.stops)
  while wanted.slots > 0 and passes > 0 do
    local source = redis.call('LINDEX', ring_key(wanted.queue), -1 - wanted.skipped)
    if source and give_turn(wanted, source, claiming) then
      wanted.slots = wanted.slots - 1
    elseif source or relieve_crowds(wanted, claiming.stops) then
      passes = passes - 1
    else
      return
    end
  end
  if wanted.slots > 0 then claiming.more = true end
end

local function pack_flight(job, fence)
  local flight = { fence = fence, at = NOW, queue = job.queue }
  flight.source, flight.account, flight.group = job.source, job.account, job.group
  return cjson.encode(flight)
end

-- The first of so many fences in a row, and the end of those this consumer may give out.
local function take_fences(last, jobs)
  local first = last.first + last.jobs
  if first + jobs <= last.limit then return first, last.limit end
  local limit = redis.call('INCRBY', FENCE, FENCES_AT_ONCE) + 1
  return limit - FENCES_AT_ONCE, limit
end

-- Give the started jobs their fences and write down who runs them: one write for all of a claim.
local function write_flights(consumer, number, jobs, last)
  local first, limit = take_fences(last, #jobs)
  local fields, listed = {}, {}
  for i, started in ipairs(jobs) do
    local job, fence = started.job, string.format('%.0f', first + i - 1)
    fields[#fields + 1], fields[#fields + 2] = job.id, pack_flight(job, fence)
    for _, value in ipairs({ job.id, fence, NOW, started.packed }) do listed[#listed + 1] = value end
  end
  local this = cjson.encode({ number = number, first = first, jobs = #jobs, limit = limit })
  redis.call('HSET', flight_key(consumer), LAST_CLAIM, this, unpack(fields))
  return listed
end

-- What the last claim of a consumer was: its number, the fences it gave out, and where those at hand end.
local function read_last_claim(consumer)
  local packed = redis.call('HGET', flight_key(consumer), LAST_CLAIM)
  return packed and cjson.decode(packed) or { number = 0, first = 0, jobs = 0, limit = 0 }
end

local function take_wanted()
  local wanted = { queue = take(), slots = math.min(take_number(), CLAIM_LIMIT), skipped = 0 }
  wanted.room, wanted.rooms = take_number(), {}
  for _ = 1, take_number() do
    local account = take()
    wanted.rooms[account] = take_number()
  end
  return wanted
end

local function take_claim()
  local claim = { wanted = {}, jobs = {} }
  claim.consumer, claim.number, claim.free_suspects = take(), take_number(), take_number()
  for i = 1, take_number() do claim.wanted[i] = take_wanted() end
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
  claim.stops = read_set(STOPS)
  claim.more = resume_parked(claim.stops)
  for _, wanted in ipairs(claim.wanted) do claim_queue(wanted, claim) end
  local listed = write_flights(claim.consumer, claim.number, claim.jobs, last)
  return { 'OK', claim.more and 0 or next_due(), listed }
end

function moves.mine()
  return list_flights(take(), 0, math.huge)
end
