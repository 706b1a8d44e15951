-- flights.lua (a part of the drain script): who runs what, and how a job leaves its consumer.

local SUSPECT_CRASHES = 2         -- a process runs one such job at a time
local POISON_CRASHES = 3
local POISON_BLAMES = 2           -- crashes that tell against it: a bystander of kills from outside must live

-- Field of a flight hash that holds its consumer's last claim. No job has the empty id.
local LAST_CLAIM = ''

local function has_lease(consumer) return redis.call('ZSCORE', CONSUMERS, consumer) ~= false end

-- The flight of a job if this consumer still owns it under this fence, or nil.
local function own_flight(consumer, id, fence)
  local packed = redis.call('HGET', flight_key(consumer), id)
  if not packed then return nil end
  local flight = cjson.decode(packed)
  if flight.fence ~= fence then return nil end
  return flight
end

-- Every flight of a consumer with its id, oldest claim first.
local function read_flights(consumer)
  local fields, flights = redis.call('HGETALL', flight_key(consumer)), {}
  for i = 1, #fields, 2 do
    if fields[i] ~= LAST_CLAIM then
      local flight = cjson.decode(fields[i + 1])
      flight.id = fields[i]
      flights[#flights + 1] = flight
    end
  end
  table.sort(flights, function(a, b) return tonumber(a.fence) < tonumber(b.fence) end)
  return flights
end

-- { id, fence, claimed at, packed job, ... } of a consumer's flights whose fences are the `jobs` ones from `first` on.
local function list_flights(consumer, first, jobs)
  local listed = {}
  for _, flight in ipairs(read_flights(consumer)) do
    local place = tonumber(flight.fence) - first
    if place >= 0 and place < jobs then
      for _, value in ipairs({ flight.id, flight.fence, flight.at, redis.call('GET', job_key(flight.id)) }) do
        listed[#listed + 1] = value
      end
    end
  end
  return listed
end

-- Leaving the flight: the job goes back, dies, or makes way ----------------------------------------------------------

local function return_to_head(job) make_ready(job.queue, job.source, entry_of(job), 'RPUSH') end

-- Let a group's next job run, `pause_ms` from now. Called when the running one has left its list.
local function go_on(source, chat, pause_ms)
  local group = source .. '|' .. chat
  if pause_ms > 0 then prolong('g' .. group, NOW + pause_ms) end
  local head = head_of(group)
  if not head then return end
  if pause_ms > 0 then
    wait_until('G' .. group, NOW + pause_ms)
  else
    make_ready(queue_of(head), source, '|' .. chat, 'LPUSH')
  end
end

local function kill(job, reason)
  store_dead(job, reason)
  count(job.queue, 'settled', 1)
  if is_ordered(job) then
    redis.call('RPOP', group_key(group_of(job)))
    go_on(job.source, job.group, 0)
  end
end

local function is_suspect(job) return (job.crashes or 0) >= SUSPECT_CRASHES end

-- Note on a job that its process died, and against it when it ran alone or as the suspect. True when it is poison.
local function note_crash(job, flights)
  if #flights == 1 or is_suspect(job) then job.blames = (job.blames or 0) + 1 end
  job.crashes = (job.crashes or 0) + 1
  return job.crashes >= POISON_CRASHES and job.blames >= POISON_BLAMES
end

-- Take away what a consumer runs, newest claim first so that the heads keep their order. Returns jobs, poisoned.
local function reap(consumer, crashed)
  local flights, poisoned = read_flights(consumer), 0
  for i = #flights, 1, -1 do
    local job = load_job(flights[i].id)
    if crashed and note_crash(job, flights) then
      kill(job, 'poison')
      poisoned = poisoned + 1
    else
      if crashed then save_job(job) end
      return_to_head(job)
    end
  end
  redis.call('DEL', flight_key(consumer))
  redis.call('ZREM', CONSUMERS, consumer)
  return #flights, poisoned
end
