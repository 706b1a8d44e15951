-- intake.lua: what brings new work in, behind the prelude.
-- Redis refuses it when its memory is full (not so the drain script), and then nothing of it happened.
--
-- KEYS   [1] the prefix of every key
-- ARGV   enqueue: job, group_cap, rank ("" has none), hold_ms
--        bury:    job, reason
--        job:     id, task, queue, source, account, group ("" is unordered), limit, payload
-- Output per move: 'ACCEPTED', 'DEAD', 'FULL' or 'CLOSED'
--
-- The hold-back. What a sender numbered may arrive swapped. A job that comes with `hold_ms` is not started before
-- (`held_until`, which claim takes off what it starts); one of a lower rank that comes meanwhile passes it in its chat.

local PASSED_LIMIT = 32           -- jobs that one may pass: no call holds Redis for long

-- Whether `job` goes before `other`, which waits in its chat. What bears no mark may run if it is the head.
local function may_pass(job, other, is_head, hold_ms)
  if other.queue ~= job.queue or (other.rank or job.rank) <= job.rank then return false end
  return other.held_until ~= nil or not is_head and NOW - other.at <= hold_ms
end

-- The last job that a new one passes, from the tail of its chat on, and whether that is the head; or nil.
local function find_passed(job, hold_ms)
  local chat, passed = group_key(group_of(job)), nil
  local length = redis.call('LLEN', chat)
  for i = 0, math.min(length, PASSED_LIMIT) - 1 do
    local other = load_job(redis.call('LINDEX', chat, i))
    if not may_pass(job, other, i == length - 1, hold_ms) then break end
    passed = { id = other.id, is_head = i == length - 1 }
  end
  return passed
end

-- Put a new job in before one of its chat; a head that was held back makes way at once.
local function insert_before(passed, job)
  local group = group_of(job)
  admit(job)
  count(job.queue, 'overtakes', 1)
  redis.call('LINSERT', group_key(group), 'AFTER', passed.id, job.id)
  if passed.is_head and redis.call('ZREM', DUE, 'G' .. group) == 1 then
    make_ready(job.queue, job.source, entry_of(job), 'LPUSH')
  end
end

local function place(job, hold_ms)
  local passed = is_ordered(job) and job.rank and find_passed(job, hold_ms)
  if hold_ms > 0 then job.held_until = NOW + hold_ms end
  if passed then return insert_before(passed, job) end
  append(job)
end

local closed = read_set(CLOSED)

local function is_closed(job)
  return closed['q' .. job.queue] or closed['s' .. job.source] or closed['a' .. job.account]
end

function moves.enqueue()
  local job, cap = take_job(), take_number()
  local rank, hold_ms = take_number(), take_number()
  local known = load_job(job.id)
  if known then return answer_known(known) end
  if is_closed(job) then return 'CLOSED' end
  if is_ordered(job) and redis.call('LLEN', group_key(group_of(job))) >= cap then return 'FULL' end
  job.rank = rank
  place(job, hold_ms)
  return 'ACCEPTED'
end

function moves.bury()
  local job, reason = take_job(), take()
  local known = load_job(job.id)
  if known then return answer_known(known) end
  job.at = NOW
  store_dead(job, reason)
  return 'DEAD'
end

return run_moves()
