-- prelude.lua: what both scripts share. The loader puts it first; it does nothing by itself.
--
-- KEYS   [1] the prefix of every key, hash tag included ("{q0}:"): all keys of a shard lie in one slot
-- ARGV   the moves one after the other, flat: a name, then its fields in the order in which its function takes them
-- Output one reply per move, in order
--
-- A list's head is its right end: work enters with LPUSH, leaves with RPOP and returns to the head with RPUSH.
-- Where an id lies says what state its job is in (queue/keys.py), so most moves write a place and no flag:
--   a group's list holds its jobs with the running one still at the head, so only an empty list means an idle group;
--   a source stands in its queue's ring, or is parked in `due`, exactly while its ready list is not empty.
-- What an operator stopped: "q<queue>", "s<source>" or "a<account>", in `stops` (paused) or `closed` (nothing new).

local PREFIX = KEYS[1]
local DONE_KEPT_SECONDS = 60

local DUE, DEAD = PREFIX .. 'due', PREFIX .. 'dead'
local FENCE, COUNTS = PREFIX .. 'fence', PREFIX .. 'counts'
local CONSUMERS, UPKEEP = PREFIX .. 'consumers', PREFIX .. 'upkeep'
local STOPS, CLOSED = PREFIX .. 'stops', PREFIX .. 'closed'

local function job_key(id) return PREFIX .. 'job:' .. id end
local function group_key(name) return PREFIX .. 'group:' .. name end
local function ready_key(queue, source) return PREFIX .. 'ready:' .. queue .. ':' .. source end
local function ring_key(queue) return PREFIX .. 'ring:' .. queue end
local function wake_key(queue) return PREFIX .. 'wake:' .. queue end
local function flight_key(consumer) return PREFIX .. 'flight:' .. consumer end

-- Redis TIME in milliseconds: the only clock of the queue.
local function read_clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local NOW = read_clock()

-- The moves, read from ARGV field by field --------------------------------------------------------------------------

local cursor = 0

local function take()
  cursor = cursor + 1
  return ARGV[cursor]
end

local function take_number() return tonumber(take()) end

local function take_job()
  local job = { id = take() }
  job.task, job.queue, job.source = take(), take(), take()
  job.account, job.group = take(), take()
  job.limit, job.payload = take_number(), take()
  return job
end

-- A job as one value: a JSON header, a newline, the payload as it came ------------------------------------------------

local function save_job(job)
  local id, payload = job.id, job.payload
  job.id, job.payload = nil, nil
  redis.call('SET', job_key(id), cjson.encode(job) .. '\n' .. payload)
  job.id, job.payload = id, payload
end

-- A job without its payload, which is most of it and which few moves look at.
local function unpack_header(id, packed)
  local job = cjson.decode(string.sub(packed, 1, string.find(packed, '\n', 1, true) - 1))
  job.id = id
  return job
end

local function payload_of(packed) return string.sub(packed, string.find(packed, '\n', 1, true) + 1) end

-- The job of an id, or nil. A done one is only { done = <fence it was done under> }.
local function load_job(id)
  local packed = redis.call('GET', job_key(id))
  if not packed then return nil end
  local job = unpack_header(id, packed)
  job.payload = payload_of(packed)
  return job
end

-- The queue of a job that is stored and not done. Plainer than `load_job`, for every end of a chat's job asks for it.
local function queue_of(id)
  return string.match(redis.call('GET', job_key(id)), '"queue":"([^"\\]*)"')
end

local function is_ordered(job) return job.group ~= '' end
local function group_of(job) return job.source .. '|' .. job.group end

-- What a ready list holds: "|<chat>" for a group, "=<id>" for an unordered job.
local function entry_of(job) return is_ordered(job) and '|' .. job.group or '=' .. job.id end
local function is_chat(entry) return string.sub(entry, 1, 1) == '|' end

-- The members of a set as keys; sorted first, so that the same data is gone through in the same order.
local function read_set(key)
  local members, set = redis.call('SMEMBERS', key), {}
  table.sort(members)
  for _, member in ipairs(members) do set[member] = true end
  return set
end

-- What a call leaves to its end: counters, and tokens for the queues it touched --------------------------------------

local counted, touched = {}, {}

local function count(queue, what, times)
  local field = queue .. ':' .. what
  counted[field] = (counted[field] or 0) + times
end

-- Leave a token where work is ready and no token lies yet: one blocked process wakes for it.
local function leave_token(queue)
  if redis.call('EXISTS', ring_key(queue)) == 0 then return end
  if redis.call('EXISTS', wake_key(queue)) == 1 then return end
  if redis.call('SISMEMBER', STOPS, 'q' .. queue) == 1 then return end
  redis.call('LPUSH', wake_key(queue), '1')
end

local function finish()
  for field, times in pairs(counted) do redis.call('HINCRBY', COUNTS, field, times) end
  for queue in pairs(touched) do leave_token(queue) end
end

-- Places -------------------------------------------------------------------------------------------------------------

-- Put a source at the end of its queue's ring.
local function join_ring(queue, source)
  redis.call('LPUSH', ring_key(queue), source)
  touched[queue] = true
end

-- Make a group or an unordered job ready; `push` is LPUSH (last of its source) or RPUSH (first of it).
local function make_ready(queue, source, entry, push)
  if redis.call(push, ready_key(queue, source), entry) == 1 then join_ring(queue, source) end
  touched[queue] = true
end

-- Store a job that is not known yet.
local function admit(job)
  job.at = NOW
  save_job(job)
  count(job.queue, 'enqueued', 1)
end

-- Put a new job last: of its group, or as an unordered one of its source.
local function append(job)
  admit(job)
  if is_ordered(job) and redis.call('LPUSH', group_key(group_of(job)), job.id) > 1 then return end
  make_ready(job.queue, job.source, entry_of(job), 'LPUSH')
end

-- Store a job as dead: it keeps its payload, so that it can be looked at and put back.
local function store_dead(job, reason)
  job.dead, job.reason = NOW, reason
  save_job(job)
  redis.call('ZADD', DEAD, NOW, job.id)
  count(job.queue, 'dead', 1)
end

-- What enqueue answers for a job that is known already.
local function answer_known(job)
  if job.dead then return 'DEAD' end
  return 'ACCEPTED'
end

-- A move is a function that takes its fields from ARGV and returns its reply, or adds its replies itself (acks).
local moves, replies = {}, {}

local function run_moves()
  while cursor < #ARGV do
    local reply = moves[take()]()
    replies[#replies + 1] = reply
  end
  finish()
  return replies
end
