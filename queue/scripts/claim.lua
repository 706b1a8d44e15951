-- claim.lua (a part of the drain script): who gets the next job.
--
-- ARGV   claim: consumer, number, free suspects, n, n * queue
--        queue: name, free slots, room of an account, n, n * (account, its room): slots that it may still take
--        mine:  consumer
-- Output claim: { 'OK', ms to the next due or -1, { id, fence, claimed at, packed job, ... },
--                 { queue, account, jobs, suspects among them, ... } } or { 'UNREGISTERED' }
--               0 ms: claim again, there was more to look at than one claim may
--        mine:  { id, fence, claimed at, packed job, ... }
--
-- Sources take turns in a queue's ring, chats and unordered jobs take turns in a source's ready list. Where a claim has
-- more slots than the ring has sources, a turn is of several entries, read and taken together: a call to Redis from
-- here costs about a microsecond, and most of a claim's time were such calls, one by one.
-- A source of an account without room is skipped: it keeps its place in the ring. Where many are skipped, the others of
-- that account are parked as its crowd, and one comes back for each slot of the room that there is later.

local SUSPECT_WAIT_MS = 200
local CLAIM_LIMIT = 64            -- jobs that one claim may start in one queue: no call holds Redis for long
local PASS_LIMIT = 64             -- sources and chats that it may pass over there
local SKIP_LIMIT = 8              -- sources without room that may stay in the ring
local FENCES_AT_ONCE = 1000       -- that a consumer takes from the counter

local function room_of(wanted, account) return wanted.rooms[account] or wanted.room end

-- Take a source out of the ring, in which some skipped ones stand before it.
local function leave_ring(wanted, source)
  if wanted.skipped == 0 then
    redis.call('RPOP', ring_key(wanted.queue))
  else
    redis.call('LREM', ring_key(wanted.queue), -1, source)
  end
end

-- Let a source go to the end of the ring.
local function turn_ring(wanted, source)
  local ring = ring_key(wanted.queue)
  if wanted.skipped == 0 then
    redis.call('LMOVE', ring, ring, 'RIGHT', 'LEFT')
  else
    leave_ring(wanted, source)
    redis.call('LPUSH', ring, source)
  end
end

-- A source that may not start anything waits in `due` and comes back by itself, or when somebody makes way.
local function park_source(wanted, source, ms)
  leave_ring(wanted, source)
  touched[wanted.queue] = true
  wait_until('S' .. wanted.queue .. '|' .. source, ms)
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

-- Give each entry that is not held the job it stands for.
local function load_jobs(source, entries)
  local ids, keys, asking = {}, {}, {}
  for _, entry in ipairs(entries) do
    if not entry.held then
      ids[#ids + 1] = is_chat(entry.name) and head_of(source .. entry.name) or string.sub(entry.name, 2)
      keys[#keys + 1] = job_key(ids[#ids])
      asking[#asking + 1] = entry
    end
  end
  if #ids == 0 then return end
  for i, packed in ipairs(redis.call('MGET', unpack(keys))) do
    asking[i].job, asking[i].packed = unpack_header(ids[i], packed), packed
  end
end

-- What a source's turn is about: the first entries of its ready list, whether there are `more`, and until when the
-- source is `held`. An entry has a `name`, and a `job` or a time until which its chat is `held`.
local function read_turn(wanted, source)
  local most = math.min(wanted.share, wanted.slots)
  local names, reasons = redis.call('LRANGE', ready_key(wanted.queue, source), -most - 1, -1), { 's' .. source }
  for i = #names, math.max(1, #names - most + 1), -1 do
    reasons[#reasons + 1] = is_chat(names[i]) and 'g' .. source .. names[i] or reasons[1]
  end
  local scores, entries = redis.call('ZMSCORE', DUE, unpack(reasons)), {}
  for i = 2, #reasons do entries[i - 1] = { name = names[#names + 2 - i], held = in_future(scores[i]) } end
  local turn = { entries = entries, more = #names > most, held = in_future(scores[1]), taken = 0 }
  if not turn.held then load_jobs(source, entries) end
  return turn
end

-- Note a start: the first ones of all sources come before the second ones, as if they had taken turns one by one.
local function note_start(wanted, source, entry)
  local round = (wanted.started[source] or 0) + 1
  wanted.started[source] = round
  wanted.rounds[round] = wanted.rounds[round] or {}
  wanted.rounds[round][#wanted.rounds[round] + 1] = entry
end

local function start(entry, claiming)
  local job = entry.job
  if is_suspect(job) then claiming.free_suspects = claiming.free_suspects - 1 end
  if job.settled or job.held_until then      -- somebody runs it (again): an old owner's repeat is LOST from now on
    job.settled = nil
    job.held_until = nil
    job.payload = payload_of(entry.packed)
    save_job(job)
  end
end

-- Until when an entry must wait, or nil.
local function must_wait(entry, claiming)
  local job = entry.job
  if not job then return entry.held end
  if job.held_until and job.held_until > NOW then return job.held_until end
  if is_suspect(job) and claiming.free_suspects < 1 then return NOW + SUSPECT_WAIT_MS end
  return nil
end

-- Whether an account may start nothing here now.
local function is_shut(wanted, account, stops)
  return stops['a' .. account] or room_of(wanted, account) < 1
end

-- An entry leaves the ready list: its job starts, or it waits in `due` and comes back by itself.
local function take_entry(wanted, source, entry, claiming)
  local ms = must_wait(entry, claiming)
  if ms then
    wanted.passes = wanted.passes - 1
    return wait_until(place_of(source, entry.name), ms)
  end
  wanted.slots = wanted.slots - 1
  wanted.rooms[entry.job.account] = room_of(wanted, entry.job.account) - 1
  start(entry, claiming)
  note_start(wanted, source, entry)
end

-- Take the entries of a turn up to the first whose account may start nothing; that account, or nil.
local function take_entries(wanted, source, turn, claiming)
  for i, entry in ipairs(turn.entries) do
    if entry.job and is_shut(wanted, entry.job.account, claiming.stops) then return entry.job.account end
    take_entry(wanted, source, entry, claiming)
    turn.taken = i
  end
  return nil
end

local function end_turn(wanted, source, turn, shut)
  redis.call('RPOP', ready_key(wanted.queue, source), turn.taken)
  touched[wanted.queue] = true
  if turn.more or shut then turn_ring(wanted, source) else leave_ring(wanted, source) end
end

-- Offer a source of a ring its turn.
local function give_turn(wanted, source, claiming)
  local stops, source_stop = claiming.stops, 's' .. source
  if stops[source_stop] then return park_paused(wanted, source, source_stop) end
  local turn = read_turn(wanted, source)
  if turn.held then return park_source(wanted, source, turn.held) end
  local shut = take_entries(wanted, source, turn, claiming)
  if turn.taken > 0 then return end_turn(wanted, source, turn, shut) end
  if stops['a' .. shut] then return park_paused(wanted, source, 'a' .. shut) end
  skip(wanted, source, shut, stops)
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

-- How many jobs a source may start in one turn, so that all `sources` of a ring get as many.
local function share_of(slots, sources) return math.max(1, math.floor(slots / math.max(1, sources))) end

local function give_turns(wanted, claiming)
  local relieved, sources = relieve_crowds(wanted, claiming.stops), redis.call('LLEN', ring_key(wanted.queue))
  if sources == 0 and not relieved then return end
  wanted.share, wanted.passes = share_of(wanted.slots, sources), PASS_LIMIT
  while wanted.slots > 0 and wanted.passes > 0 do
    local source, slots = redis.call('LINDEX', ring_key(wanted.queue), -1 - wanted.skipped), wanted.slots
    if source then
      give_turn(wanted, source, claiming)
    elseif not relieve_crowds(wanted, claiming.stops) then
      return
    end
    if wanted.slots == slots then wanted.passes = wanted.passes - 1 end
  end
  if wanted.slots > 0 then claiming.more = true end
end

local function claim_queue(wanted, claiming)
  if claiming.stops['q' .. wanted.queue] then return end
  give_turns(wanted, claiming)
  for _, round in ipairs(wanted.rounds) do
    for _, entry in ipairs(round) do claiming.jobs[#claiming.jobs + 1] = entry end
  end
end

-- What flights of a source have in common, as JSON: put together once.
local packed_sources = {}

local function pack_source(job)
  local name = job.queue .. '|' .. job.account .. '|' .. job.source
  local packed = packed_sources[name]
  if not packed then
    packed = cjson.encode({ at = NOW, queue = job.queue, source = job.source, account = job.account })
    packed_sources[name] = string.sub(packed, 1, -2)
  end
  return packed_sources[name]
end

local function pack_flight(job, fence)
  return pack_source(job) .. ',"fence":"' .. fence .. '","group":' .. cjson.encode(job.group) .. '}'
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
  for i, entry in ipairs(jobs) do
    local job, fence = entry.job, string.format('%.0f', first + i - 1)
    fields[#fields + 1], fields[#fields + 2] = job.id, pack_flight(job, fence)
    local last = #listed
    listed[last + 1], listed[last + 2], listed[last + 3], listed[last + 4] = job.id, fence, NOW, entry.packed
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

-- How many jobs of which account a claim starts in each queue: { queue, account, jobs, suspects among them, ... }.
local function tally(entries)
  local places, parts = {}, {}
  for _, entry in ipairs(entries) do
    local job = entry.job
    local name = job.queue .. '|' .. job.account
    local at = places[name]
    if not at then
      at = #parts
      places[name], parts[at + 1], parts[at + 2], parts[at + 3], parts[at + 4] = at, job.queue, job.account, 0, 0
    end
    parts[at + 3] = parts[at + 3] + 1
    if is_suspect(job) then parts[at + 4] = parts[at + 4] + 1 end
  end
  return parts
end

-- What a claim answered, as far as this consumer still runs it.
local function answer_repeated_claim(consumer, last)
  local listed, entries = list_flights(consumer, last.first, last.jobs), {}
  for i = 1, #listed, 4 do entries[#entries + 1] = { job = unpack_header(listed[i], listed[i + 3]) } end
  return { 'OK', next_due(), listed, tally(entries) }
end

local function take_wanted()
  local wanted = { queue = take(), slots = math.min(take_number(), CLAIM_LIMIT), skipped = 0 }
  wanted.room, wanted.rooms, wanted.started, wanted.rounds = take_number(), {}, {}, {}
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
  if claim.number == last.number then return answer_repeated_claim(claim.consumer, last) end
  if claim.number < last.number then return { 'OK', next_due(), {}, {} } end   -- late, over a connection given up since
  promote_due()
  claim.stops = read_set(STOPS)
  claim.more = resume_parked(claim.stops)
  for _, wanted in ipairs(claim.wanted) do claim_queue(wanted, claim) end
  local listed = write_flights(claim.consumer, claim.number, claim.jobs, last)
  return { 'OK', claim.more and 0 or next_due(), listed, tally(claim.jobs) }
end

function moves.mine()
  return list_flights(take(), 0, math.huge)
end
