-- intake.lua: what brings new work in, behind the prelude.
-- Redis refuses it when its memory is full (not so the drain script), and then nothing of it happened.
--
-- KEYS   [1] the prefix of every key
-- ARGV   enqueue: job, group_cap        job: id, task, queue, source, account, group ("" is unordered), limit, payload
--        bury:    job, reason
-- Output per move: 'ACCEPTED', 'DEAD' or 'FULL'

function moves.enqueue()
  local job, cap = take_job(), take_number()
  local known = load_job(job.id)
  if known then return answer_known(known) end
  if is_ordered(job) and redis.call('LLEN', group_key(group_of(job))) >= cap then return 'FULL' end
  append(job)
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
