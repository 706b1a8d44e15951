-- settle.lua (a part of the drain script): how a running job ends, for now or for good.
-- Only its owner may end it, under the fence of its claim.
--
-- ARGV   acks:    consumer, n, n * (id, fence, pause_ms, m, m * follow-up job (as in intake.lua))
--        retry:   consumer, id, fence, after_ms, error, spend 1|0, bury 1|0
--        release: consumer, id, fence
-- Output each job's: 'OK', 'DEAD' (retry: the job is dead now) or 'LOST' (nothing of the move happened)

local HEAD_BUDGET_MS = 60000      -- how long the head of a chat may fail before the chat goes on
local RUN_COUNTED_MS = 30000      -- the most that one attempt may take of it: its answer may have met an outage

local function is_of_group(job, flight)
  return is_ordered(job) and job.source == flight.source and job.group == flight.group
end

-- Put a follow-up at the head of the group that is making way; one that waits there already moves.
local function append_to_head(job)
  local known = load_job(job.id)
  if not known then
    admit(job)
  elseif redis.call('LREM', group_key(group_of(job)), 1, job.id) == 0 then
    return
  end
  redis.call('RPUSH', group_key(group_of(job)), job.id)
end

local function add_follow_ups(jobs, flight)
  for i = #jobs, 1, -1 do
    if is_of_group(jobs[i], flight) then append_to_head(jobs[i]) end
  end
  for _, job in ipairs(jobs) do
    if not is_of_group(job, flight) and not load_job(job.id) then append(job) end
  end
end

local function answer_repeated_ack(id, fence)
  local job = load_job(id)
  if job and job.done == fence then return 'OK' end
  return 'LOST'
end

local function take_ack()
  local ack = { id = take(), fence = take(), pause_ms = take_number(), follow_ups = {} }
  for i = 1, take_number() do ack.follow_ups[i] = take_job() end
  return ack
end

-- End the flights that acks are about: each that this consumer owns is noted on the first ack of its job.
local function land(consumer, acks)
  local ids, landed, seen = {}, {}, {}
  for i, ack in ipairs(acks) do ids[i] = ack.id end
  for i, packed in ipairs(redis.call('HMGET', flight_key(consumer), unpack(ids))) do
    local flight, ack = packed and cjson.decode(packed), acks[i]
    if flight and flight.fence == ack.fence and not seen[ack.id] then
      ack.flight, seen[ack.id], landed[#landed + 1] = flight, true, ack.id
    end
  end
  if #landed > 0 then redis.call('HDEL', flight_key(consumer), unpack(landed)) end
end

local function end_well(ack)
  local flight = ack.flight
  if not flight then return answer_repeated_ack(ack.id, ack.fence) end
  redis.call('SET', job_key(ack.id), '{"done":"' .. ack.fence .. '"}\n', 'EX', DONE_KEPT_SECONDS)
  count(flight.queue, 'settled', 1)
  if flight.group ~= '' then redis.call('RPOP', group_key(flight.source .. '|' .. flight.group)) end
  add_follow_ups(ack.follow_ups, flight)
  if flight.group ~= '' then go_on(flight.source, flight.group, ack.pause_ms) end
  return 'OK'
end

function moves.acks()
  local consumer, acks = take(), {}
  for i = 1, take_number() do acks[i] = take_ack() end
  land(consumer, acks)
  for _, ack in ipairs(acks) do replies[#replies + 1] = end_well(ack) end
end

-- What a repeated retry or release answers: as the first did, unless somebody claimed the job since.
local function answer_repeated(id, settled)
  local job = load_job(id)
  if not job or job.settled ~= settled then return 'LOST' end
  if job.dead then return 'DEAD' end
  return 'OK'
end

-- Why a retried job dies instead, or nil.
local function reason_to_die(job, spend, bury)
  if bury then return 'buried' end
  if not spend then return nil end
  if job.attempts >= job.limit then return 'attempts' end
  if is_ordered(job) and job.failing_ms >= HEAD_BUDGET_MS then return 'budget' end
  return nil
end

-- How long a retried job waits; the head of a chat has its last try when its budget ends. After the first failure only
-- attempts that are spent, and the waits that follow them, use it up: not a 429, a hold, a pause or an outage.
local function take_wait(job, after_ms, spend)
  if not spend or not is_ordered(job) then return after_ms end
  local wait_ms = math.min(after_ms, HEAD_BUDGET_MS - job.failing_ms)
  job.failing_ms = job.failing_ms + wait_ms
  return wait_ms
end

local function note_failure(job, flight, error, spend)
  if job.error ~= error then job.retrying_since = NOW end
  job.settled, job.error = 'retry:' .. flight.fence, error
  if spend then
    job.attempts = (job.attempts or 0) + 1
    job.failing_ms = job.failing_ms and job.failing_ms + math.min(NOW - flight.at, RUN_COUNTED_MS) or 0
  end
end

function moves.retry()
  local consumer, id, fence, after_ms, error = take(), take(), take(), take_number(), take()
  local spend, bury = take() == '1', take() == '1'
  local flight = own_flight(consumer, id, fence)
  if not flight then return answer_repeated(id, 'retry:' .. fence) end
  redis.call('HDEL', flight_key(consumer), id)
  local job = load_job(id)
  note_failure(job, flight, error, spend)
  local reason = reason_to_die(job, spend, bury)
  if reason then
    kill(job, reason)
    return 'DEAD'
  end
  local wait_ms = take_wait(job, after_ms, spend)
  save_job(job)
  wait_until(place_of(job.source, entry_of(job)), NOW + wait_ms)
  return 'OK'
end

function moves.release()
  local consumer, id, fence = take(), take(), take()
  if not own_flight(consumer, id, fence) then return answer_repeated(id, 'release:' .. fence) end
  redis.call('HDEL', flight_key(consumer), id)
  local job = load_job(id)
  job.settled = 'release:' .. fence
  save_job(job)
  return_to_head(job)
  return 'OK'
end
