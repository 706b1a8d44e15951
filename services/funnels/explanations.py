"""Explanations: why a lead did not come to a step, out of what happened to it. Pure.

The reasons are words for a seller; which languages there are, problems.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from grimbots.services.funnels.check import list_exits, reach
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Nudge
from grimbots.services.funnels.events import Event, Held, Nudged, Paid
from grimbots.services.funnels.nudges import find_entry, find_obstacle
from grimbots.services.funnels.replays import Passage
from grimbots.services.funnels.steps.base import Scene
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
    "nudge_due": (
        "{what} marcado para {at}: será visto de novo na hora",
        "{what} planned for {at}: it will be looked at again then",
    ),
    "nudge_bought": (
        "{what} de {at} não foi enviado: a pessoa já tinha comprado",
        "the {what} of {at} was left out: the lead had bought by then",
    ),
    "nudge_settled": (
        "{what} de {at} não foi enviado: o PIX já tinha sido pago, ou não valia mais",
        "the {what} of {at} was left out: the PIX was paid by then, or could not be paid any more",
    ),
    "nudge_newer": (
        "{what} de {at} não foi enviado: a pessoa já tinha pedido outro código",
        "the {what} of {at} was left out: the lead had asked for another code since",
    ),
    "nudge_moved": (
        "{what} de {at} não foi enviado: a pessoa tinha chegado a outro passo com downsells, e os dele tomaram o lugar",
        "the {what} of {at} was left out: the lead had come to another step with downsells, which took its place",
    ),
    "nudge_offered": (
        "{what} de {at} não foi enviado: a pessoa já tinha recebido este downsell",
        "the {what} of {at} was left out: the lead had been given this downsell before",
    ),
    "nudge_held": (
        "{what} de {at} não foi enviado: uma pessoa tinha assumido a conversa",
        "the {what} of {at} was left out: a person had the chat",
    ),
    "nudge_blocked": (
        "{what} de {at} não foi enviado: a pessoa tinha bloqueado o bot",
        "the {what} of {at} was left out: the lead had blocked the bot",
    ),
    "nudge_returned": (
        "{what} de {at} não foi enviado: o pagamento tinha sido devolvido",
        "the {what} of {at} was left out: the payment had been given back",
    ),
    "nudge_late": (
        "{what} de {at} ainda não foi tratado; veja se a fila está andando",
        "the {what} of {at} has not been looked at yet; see whether the queue is moving",
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
    if facts.get("what") == "reminder" and language == "pt-BR":
        facts["what"] = "lembrete"
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


def explain_nudges(passages: Sequence[Passage], step: str, now: datetime) -> Iterator[Reason]:
    """Tell of the downsells and upsells that would have led to a step, and of a charge's reminders, which are to come
    or were left out: why.
    """
    for place, passage in enumerate(passages):
        scene = Scene(passage.happening.version, passage.done.walk, passage.happening.at)
        for effect in passage.done.effects:
            if isinstance(effect, Nudge) and _concerns(effect, scene, step):
                code = _find_outcome(effect, passages[place:], now)
                if code:
                    yield Reason(f"nudge_{code}", {"what": effect.what, "at": effect.due_at})


def _concerns(nudge: Nudge, scene: Scene, step: str) -> bool:
    entry = find_entry(nudge, scene)
    return entry is not None and step == (nudge.step if nudge.what == "reminder" else entry.next)


def _find_outcome(nudge: Nudge, since: Sequence[Passage], now: datetime) -> str:
    """Say what became of a nudge; "": it was given. `since`: what happened from when it was planned."""
    event = Nudged(nudge.step, nudge.what, nudge.place, nudge.payment_id, nudge.stage)
    given = [one.happening.event for one in since if _is_of(one.happening.event, event)]
    if given:
        return getattr(given[0], "obstacle", "")
    before = [one for one in since if one.happening.at <= nudge.due_at]
    scene = Scene(since[0].happening.version, before[-1].done.walk, nudge.due_at)
    obstacle = find_obstacle(event, scene)
    has_paid = any(isinstance(one.happening.event, Paid) for one in before)
    if obstacle == "moved" and has_paid:
        return "bought"
    return obstacle or ("due" if nudge.due_at > now else "late")


def _is_of(happened: Event, nudged: Nudged) -> bool:
    return isinstance(happened, Nudged) and replace(happened, obstacle="") == nudged


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
