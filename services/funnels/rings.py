"""Rings and certainties of a graph of steps. Pure; each way is looked at a bounded number of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grimbots.services.funnels.steps.base import Exit


def find_rings(ways: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the groups of steps that lead to each other, each once, in the order of a walk that begins at its first
    step in the funnel (Tarjan's strongly connected components, without recursion).
    """
    order = {step: place for place, step in enumerate(ways)}
    rings = [group for group in _find_components(ways) if len(group) > 1 or group[0] in ways[group[0]]]
    return sorted((_walk_ring(ways, group, order) for group in rings), key=lambda ring: order[ring[0]])


def _find_components(ways: Mapping[str, Sequence[str]]) -> list[list[str]]:
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    pending: list[str] = []
    found: list[list[str]] = []
    closed: set[str] = set()
    for root in ways:
        todo = [(root, 0)] if root not in number else []
        while todo:
            step, at = todo.pop()
            if at == 0:
                number[step] = lowest[step] = len(number)
                pending.append(step)
            elif (before := ways[step][at - 1]) not in closed:
                lowest[step] = min(lowest[step], lowest[before])
            if at < len(ways[step]):
                todo.append((step, at + 1))
                if ways[step][at] not in number:
                    todo.append((ways[step][at], 0))
            elif lowest[step] == number[step]:
                group = pending[pending.index(step) :]
                del pending[-len(group) :]
                closed.update(group)
                found.append(group)
    return found


def _walk_ring(ways: Mapping[str, Sequence[str]], group: Sequence[str], order: Mapping[str, int]) -> list[str]:
    """Follow the group from its first step for as long as that leads to a step not walked yet."""
    inside, step = set(group), min(group, key=order.__getitem__)
    walked: list[str] = []
    while step is not None and step not in walked:
        walked.append(step)
        onward = [target for target in ways[step] if target in inside]
        step = next((target for target in onward if target not in walked), None)  # type: ignore[assignment]
    return [*walked, *sorted(inside - set(walked), key=order.__getitem__)]


def find_certain(exits: Mapping[str, Sequence[Exit]], start: str) -> dict[str, set[str]]:
    """Return, for each step that can be reached, the variables that have a value on every way there."""
    certain: dict[str, set[str]] = {start: set()}
    todo = [start]
    while todo:
        step = todo.pop()
        for way in exits.get(step, ()):
            carried = certain[step] | ({way.sets} if way.sets else set())
            known = certain.get(way.target)
            kept = carried if known is None else known & carried
            if kept != known:
                certain[way.target] = kept
                todo.append(way.target)
    return certain
