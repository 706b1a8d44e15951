"""advance: what a funnel does about an event. Pure: no I/O, no clock of its own, the same answer for the same question.

Rules that hold for every kind of step:

- /start begins anew on the version it is given (the funnel's current one). A text from somebody who never started does
  the same; any other text finds no open question and changes nothing.
- A button belongs to the version and step its message was said by, however old: updates.handle passes that version.
  Where it leads, the lead then walks that version.
- The same button of the same message within ECHO_SECONDS is a double tap and does nothing. Money does not lean on that:
  an order bump's buttons act only while the lead stands at it, and a basket has one open charge (steps/charge.py),
  whatever is pressed and when.
- A payment's event is handled on the payment's own version and step, wherever the lead stands by now; it moves the lead
  only if the lead still stands at that charge.
- Steps follow one another at once at most as often as the funnel has steps, so even a loop that no check has seen ends.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Effect
from grimbots.services.funnels.events import Event, Paid, PaymentEvent, Started, Tapped, Wrote
from grimbots.services.funnels.steps.base import END, Scene, Turn
from grimbots.services.funnels.walks import Tap, Walk

ECHO_SECONDS = 3


def advance(version: Version, lead: Walk, event: Event, now: datetime) -> tuple[Walk, tuple[Effect, ...]]:
    """Return where the lead stands after `event`, and what is to be done, in order."""
    match event:
        case Started(param):
            return _start(version, lead, param, now)
        case Wrote():
            return (lead, ()) if lead.version_id else _start(version, lead, "", now)
        case Tapped():
            return _take_tap(version, lead, event, now)
    return _take_payment_event(version, lead, event, now)


def _start(version: Version, lead: Walk, param: str, now: datetime) -> tuple[Walk, tuple[Effect, ...]]:
    """Begin anew. Orders stay known: a charge that is open stays the charge of its basket."""
    fresh = replace(lead, basket=(), tap=None, variables={**lead.variables, "start_param": param})
    return _follow(Scene(version, fresh, now), Turn(fresh, go=version.start))


def _take_tap(version: Version, lead: Walk, event: Tapped, now: datetime) -> tuple[Walk, tuple[Effect, ...]]:
    step = version.steps.get(event.step)
    if step is None or _is_echo(lead.tap, event, now):
        return lead, ()
    scene = Scene(version, replace(lead, tap=Tap(event.nonce, event.button, now)), now)
    turn = step.react(event, scene)
    return (lead, ()) if turn is None else _follow(scene, turn)


def _is_echo(last: Tap | None, event: Tapped, now: datetime) -> bool:
    if last is None or (last.nonce, last.button) != (event.nonce, event.button):
        return False
    return abs(now - last.at) < timedelta(seconds=ECHO_SECONDS)


def _take_payment_event(
    version: Version, lead: Walk, event: PaymentEvent, now: datetime
) -> tuple[Walk, tuple[Effect, ...]]:
    step = version.steps.get(event.step)
    scene = Scene(version, lead, now, payment_id=event.payment_id)
    turn = step.react(event, scene) if step else None
    if turn is None:
        return lead, ()
    after, effects = _follow(scene, turn)
    if not scene.stands_at(event.step):
        after = replace(lead, orders=after.orders)
    elif isinstance(event, Paid):
        after = replace(after, basket=())
    return after, effects


def _follow(scene: Scene, turn: Turn) -> tuple[Walk, tuple[Effect, ...]]:
    """Enter step after step for as long as each leads on at once."""
    steps = scene.version.steps
    walk, effects = turn.walk, list(turn.effects)
    for _ in range(len(steps)):
        if turn.go is None:
            break
        step = steps.get(turn.go)
        walk = replace(walk, version_id=scene.version.id, step=step.id if step else END)
        if step is None:
            break
        turn = step.enter(replace(scene, walk=walk))
        walk, effects = turn.walk, [*effects, *turn.effects]
    return walk, tuple(effects)
