-- parking.lua (a part of the drain script): sources that must wait until somebody makes way, not for a time.
--
-- `due` is their place ("S<queue>|<source>"). `parked:<reason>` names them, so that they can be fetched before their
-- time. A name may be out of date, for a source may have come back by itself: then nothing happens.
--   s<source>, a<account>   paused by an operator: parked for ever
--   f<queue>|<account>      the account's crowd: some process was full of the account; back in 10 s at the latest
-- `stops` holds what is in force: these reasons, "q<queue>", and "r<reason>" while what was parked for a reason comes
-- back, a step at each claim. Claim checks all of them again.

local CROWD_WAIT_MS = 10000
local UNPARK_LIMIT = 100          -- sources brought back in one step

local function parked_key(reason) return PREFIX .. 'parked:' .. reason end

-- Park a source that has left its ring.
local function park(queue, source, reason, ms)
  local place = queue .. '|' .. source
  touched[queue] = true
  wait_until('S' .. place, ms)
  redis.call('ZADD', parked_key(reason), NOW, place)
end

-- Bring back up to `most` of what is parked for a reason, the longest parked first. Returns whether that was all.
local function unpark(reason, most)
  local popped = redis.call('ZPOPMIN', parked_key(reason), most)
  for i = 1, #popped, 2 do
    if redis.call('ZREM', DUE, 'S' .. popped[i]) == 1 then promote_place.S(popped[i]) end
  end
  return #popped < 2 * most
end

-- Go on with what was resumed. Returns whether more is to come.
local function resume_parked(stops)
  local more = false
  for stop in pairs(stops) do
    if string.sub(stop, 1, 1) == 'r' then
      if unpark(string.sub(stop, 2), UNPARK_LIMIT) then
        redis.call('SREM', STOPS, stop)
      else
        more = true
      end
    end
  end
  return more
end
