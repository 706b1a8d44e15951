"""Explanations: why a lead did not come to a step, out of what happened to it. Pure.

The reasons are words for a seller; which languages there are, problems.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grimbots.services.funnels.check import list_exits, reach
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.events import Held
from grimbots.services.funnels.replays import Passage
from grimbots.services.funnels.walks import Walk

REASONS: Mapping[str, tuple[str, str]] = {
    "never_started": ("ainda não começou o funil", "has not begun the funnel"),
    "no_step": (
        "percorre uma versão do funil que não tem o passo {step}",
        "walks a version of the funnel that has no step {step}",
    ),
    "came": ("chegou ao passo {step} em {at}", "came to the step {step} at {at}"),
    "came_silent": (
        "chegou ao passo {step} em {at}; um passo {kind} não manda mensagem à pessoa",
        "came to the step {step} at {at}; a step of the kind {kind} says nothing to the lead",
    ),
    "parted": (
        "em {at}, no passo {before}, seguiu para {after}; dali não se chega a {step}",
        "at {at}, in the step {before}, it went on to {after}, from where no way leads to {step}",
    ),
    "held": (
        "uma pessoa assumiu a conversa até {until}; o bot não fala enquanto isso",
        "a person has the chat until {until}; meanwhile the bot is silent",
    ),
    "waits_until": (
        "está no passo {where}, esperando até {until}",
        "stands at the step {where} and waits until {until}",
    ),
    "waits_answer": (
        "está no passo {where}, e ainda não respondeu à pergunta",
        "stands at the step {where} and has not answered its question",
    ),
    "waits_payment": (
        "está no passo {where}, e o pagamento ainda não foi confirmado",
        "stands at the step {where}, and its payment has not been confirmed",
    ),
    "waits_tap": (
        "está no passo {where}, e ainda não tocou em um botão que leve adiante",
        "stands at the step {where} and has not pressed a button that leads on",
    ),
    "ended": (
        "chegou ao fim do funil sem passar pelo passo {step}",
        "came to the funnel's end without coming through the step {step}",
    ),
    "forgotten": (
        "não há registro do caminho desta pessoa (ele é guardado por 90 dias)",
        "there is no record of this lead's way (it is kept for 90 days)",
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason before it is put into words: `code` is a key of REASONS; instants stand in `facts` as such."""

    code: str
    facts: Mapping[str, Any]


def describe(reason: Reason, language: str, zone: Any) -> str:
    """Put a reason into words, its instants in a time zone."""
    portuguese, english = REASONS[reason.code]
    facts = {name: _write(value, zone) for name, value in reason.facts.items()}
    return (portuguese if language == "pt-BR" else english).format(**facts)


def _write(value: Any, zone: Any) -> Any:
    return value.astimezone(zone).strftime("%d/%m/%Y %H:%M") if isinstance(value, datetime) else value


def explain(version: Version, passages: Sequence[Passage], walk: Walk, step: str, now: datetime) -> Iterator[Reason]:
    """Give the reasons, the earliest first: `version` is the one the lead walks, `walk` where it stands."""
    if not walk.version_id:
        yield Reason("never_started", {})
        return
    if step not in version.steps:
        yield Reason("no_step", {"step": step})
        return
    if not passages:
        yield Reason("forgotten", {})
    visits = [passage.happening.at for passage in passages if step in passage.done.path]
    if visits:
        kind = version.steps[step]
        code = "came" if kind.speaks else "came_silent"
        yield Reason(code, {"step": step, "at": visits[-1], "kind": kind.kind})
    else:
        yield from _find_parting(version, passages, step)
    if not visits or walk.is_held(now):
        yield _tell_standing(version, walk, step, now)


def _find_parting(version: Version, passages: Sequence[Passage], step: str) -> Iterator[Reason]:
    """Give the last place where the lead took a way that does not lead to the step, while another did."""
    exits = list_exits(version)
    leads_there = {name for name in version.steps if step in reach(exits, [name])}
    found: Reason | None = None
    for passage in passages:
        if passage.happening.version.id != version.id or isinstance(passage.happening.event, Held):
            continue
        origin = getattr(passage.happening.event, "step", passage.before.step)
        for before, after in zip((origin, *passage.done.path), passage.done.path, strict=False):
            if before in leads_there and after not in leads_there:
                found = Reason("parted", {"at": passage.happening.at, "before": before, "after": after, "step": step})
            elif after in leads_there:
                found = None
    if found:
        yield found


def _tell_standing(version: Version, walk: Walk, step: str, now: datetime) -> Reason:
    where = version.steps.get(walk.step)
    if walk.is_held(now):
        return Reason("held", {"until": walk.held_until})
    if where is None:
        return Reason("ended", {"step": step})
    if where.asks() or where.redeems:
        return Reason("waits_answer", {"where": where.id})
    if walk.wait is not None and walk.wait.until is not None:
        return Reason("waits_until", {"where": where.id, "until": walk.wait.until})
    return Reason("waits_payment" if where.charges else "waits_tap", {"where": where.id})
