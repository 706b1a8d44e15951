-- operators.lua (a part of the drain script): what a person does to jobs, queues, sources and accounts.
--
-- ARGV   requeue, discard: id
--        bury:   id, reason
--        pause, close, resume: what ("q<queue>", "s<source>" or "a<account>")
-- Output requeue: 'OK', 'RUNNING' or 'GONE'; discard: 'OK', 'RUNNING' or 'PENDING'; bury: 'DEAD', 'RUNNING' or 'GONE'
--        pause, close, resume: 'OK'

local function leave_dead(job)
  count(job.queue, 'dead', -1)
  redis.call('ZREM', DEAD, job.id)
end

local function forget_dead(ids)
  for _, id in ipairs(ids) do
    leave_dead(load_job(id))
    redis.call('DEL', job_key(id))
  end
end

-- Where a job is that is not dead: 'GONE' when it is done or unknown.
local function whereabouts(id, job)
  if not job or job.done then return 'GONE' end
  for _, consumer in ipairs(redis.call('ZRANGE', CONSUMERS, 0, -1)) do
    if redis.call('HEXISTS', flight_key(consumer), id) == 1 then return 'RUNNING' end
  end
  return 'PENDING'
end

-- What a job was enqueued with, and nothing of what it went through.
local function make_new(job)
  local new = { id = job.id, task = job.task, queue = job.queue, source = job.source }
  new.account, new.group, new.limit, new.payload = job.account, job.group, job.limit, job.payload
  return new
end

-- A dead job waits again, behind what came meanwhile; one that waits already stays where it is.
function moves.requeue()
  local id = take()
  local job = load_job(id)
  if job and job.dead then
    leave_dead(job)
    append(make_new(job))
    return 'OK'
  end
  local where = whereabouts(id, job)
  return where == 'PENDING' and 'OK' or where
end

function moves.discard()
  local id = take()
  local job = load_job(id)
  if job and job.dead then
    forget_dead({ id })
    return 'OK'
  end
  local where = whereabouts(id, job)
  return where == 'GONE' and 'OK' or where
end

-- Take an entry out of a ready list; a source with nothing more leaves its ring, or the place where it is parked.
local function withdraw_entry(queue, source, entry)
  redis.call('LREM', ready_key(queue, source), 1, entry)
  if redis.call('EXISTS', ready_key(queue, source)) == 1 then return end
  if redis.call('LREM', ring_key(queue), 1, source) == 1 then return end
  redis.call('ZREM', DUE, 'S' .. queue .. '|' .. source)
end

-- A waiting job dies; what is behind it in its chat goes on, under whatever holds the chat.
local function kill_waiting(job, reason)
  if is_ordered(job) and head_of(group_of(job)) ~= job.id then
    redis.call('LREM', group_key(group_of(job)), 1, job.id)
    store_dead(job, reason)
    count(job.queue, 'settled', 1)
    return
  end
  local entry = entry_of(job)
  if redis.call('ZREM', DUE, place_of(job.source, entry)) == 0 then withdraw_entry(job.queue, job.source, entry) end
  kill(job, reason)
end

function moves.bury()
  local id, reason = take(), take()
  local job = load_job(id)
  if job and job.dead then return 'DEAD' end
  local where = whereabouts(id, job)
  if where ~= 'PENDING' then return where end
  kill_waiting(job, reason)
  return 'DEAD'
end

-- What runs goes on; what is ready is parked when its turn comes.
function moves.pause()
  local what = take()
  redis.call('SADD', STOPS, what)
  redis.call('SREM', STOPS, 'r' .. what)
  return 'OK'
end

-- Drain: nothing new comes in, what is there is worked off, with all that follows from it.
function moves.close()
  redis.call('SADD', CLOSED, take())
  return 'OK'
end

function moves.resume()
  local what = take()
  redis.call('SREM', CLOSED, what)
  if redis.call('SREM', STOPS, what) == 0 then return 'OK' end
  if string.sub(what, 1, 1) == 'q' then
    touched[string.sub(what, 2)] = true
  else
    redis.call('SADD', STOPS, 'r' .. what)
    resume_parked({ ['r' .. what] = true })
  end
  return 'OK'
end
