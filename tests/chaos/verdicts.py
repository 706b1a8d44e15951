"""The verdict in Jepsen's words: accepted, done, lost, repeated, out of order, uncertain; and how fast jobs return."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from statistics import median

from grimbots.tests.chaos.ledger import EFFECTS_PER_UPDATE, Effect, Start
from grimbots.tests.chaos.storms import CALM_SECONDS, Fault

DIED = {"kill_worker", "kill_stranger"}


@dataclass
class Verdict:
    """What became of the effects. `strange`: calls of who no longer held the row. `recoveries`: seconds until a killed
    worker's job ran again, which must be within `bound_seconds`; apart, those that met another fault meanwhile."""

    accepted: int
    done: int
    uncertain: int
    lost: list[str]
    repeated_retry: int
    repeated_once: list[str]
    out_of_order: list[str]
    strange: list[str]
    under_way: int
    bound_seconds: float
    recoveries: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """What must not be."""
        found = [f"lost: {name}" for name in self.lost]
        found += [f"a `once` effect happened twice: {name}" for name in self.repeated_once]
        found += [f"out of order: {name}" for name in self.out_of_order]
        found += [f"called by who no longer held it: {name}" for name in self.strange]
        found += [
            f"a killed worker's job ran again only after {seconds:.2f} s"
            for seconds in self.recoveries
            if seconds > self.bound_seconds
        ]
        if self.repeated_retry > self.under_way:
            found.append(
                f"{self.repeated_retry} repeats, but only {self.under_way} effects were under way at the kills"
            )
        return found

    def describe(self) -> str:
        """Put it in lines."""
        return f"""\
  accepted {self.accepted} updates, done {self.done} effects, uncertain {self.uncertain}, lost {len(self.lost)}
  repeated `retry` {self.repeated_retry} (under way at kills and freezes: {self.under_way})
  repeated `once` {len(self.repeated_once)}, out of order {len(self.out_of_order)}
  called by who no longer held the row {len(self.strange)}
  a killed worker's job ran again after: {_describe(self.recoveries)}; allowed: {self.bound_seconds:g} s
    with another fault meanwhile: {_describe(self.disturbed)}"""


def judge(
    accepted: Sequence[str],
    effects: Mapping[str, Effect],
    starts: Mapping[str, Sequence[Start]],
    faults: Sequence[Fault],
    under_way: int,
    bound_seconds: float = inf,
) -> Verdict:
    """Compare what was accepted with what happened."""
    repeated = {name: len(effect.happened) - 1 for name, effect in effects.items() if len(effect.happened) > 1}
    verdict = Verdict(
        accepted=len(accepted),
        done=sum(effect.state == "sent" for effect in effects.values()),
        uncertain=sum(effect.state == "uncertain" for effect in effects.values()),
        lost=list(_find_lost(accepted, effects)),
        repeated_retry=sum(times for name, times in repeated.items() if effects[name].policy == "retry"),
        repeated_once=[name for name in repeated if effects[name].policy == "once"],
        out_of_order=list(_find_inversions(effects)),
        strange=[f"{name} by {pid}" for name, effect in effects.items() for pid in effect.strange],
        under_way=under_way,
        bound_seconds=bound_seconds,
    )
    for began_at, seconds in _find_recoveries(starts, faults):
        calm = _is_calm(began_at, began_at + seconds, faults)
        (verdict.recoveries if calm else verdict.disturbed).append(seconds)
    return verdict


def _find_lost(accepted: Sequence[str], effects: Mapping[str, Effect]) -> Iterator[str]:
    """Find what was accepted and neither happened nor is listed as uncertain."""
    for job in accepted:
        for name in (f"{job}#{ordinal}" for ordinal in range(EFFECTS_PER_UPDATE)):
            effect = effects.get(name)
            if effect is None or not (effect.state == "uncertain" or (effect.state == "sent" and effect.happened)):
                yield f"{name} ({effect.state if effect else 'never planned'})"


def _find_inversions(effects: Mapping[str, Effect]) -> Iterator[str]:
    """Find effects that happened first after a later one of their chat had; what is listed as doubtful is left out."""
    chats: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for name, effect in effects.items():
        if effect.happened and not effect.doubtful:
            chats[effect.chat].append((effect.place, effect.happened[0], name))
    for rows in chats.values():
        rows.sort()
        yield from (f"{one[2]} after {two[2]}" for one, two in pairwise(rows) if one[1] > two[1])


def _find_recoveries(starts: Mapping[str, Sequence[Start]], faults: Sequence[Fault]) -> Iterator[tuple[float, float]]:
    """Find each job that ran in a worker when it was killed and ran again after: when, and after how many seconds."""
    died_at = {fault.pid: fault.began_at for fault in faults if fault.name in DIED}
    for runs in starts.values():
        for before, after in pairwise(runs):
            killed_at = died_at.get(before.pid)
            if killed_at is not None and after.at > killed_at:
                yield killed_at, after.at - killed_at


def _is_calm(began_at: float, ended_at: float, faults: Sequence[Fault]) -> bool:
    """Tell whether only one fault, the kill itself, fell into a time or shortly before it."""
    return sum(fault.began_at <= ended_at and began_at <= fault.ended_at + CALM_SECONDS for fault in faults) == 1


def _describe(seconds: Sequence[float]) -> str:
    if not seconds:
        return "nothing to measure"
    return f"p50 {median(seconds):.2f} s, max {max(seconds):.2f} s ({len(seconds)} jobs)"
