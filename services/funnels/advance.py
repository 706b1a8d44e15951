"""advance: what a funnel does about an event. Pure: no I/O, no clock of its own, the same answer for the same question.

Rules that hold for every kind of step:

- /start begins anew on the version it is given (the funnel's current one). A text from somebody who never started does
  the same; any other text finds no open question and changes nothing.
- A button belongs to the version and step its message was said by, however old: updates.handle passes that version.
  Where it leads, the lead then walks that version.
- A button of a message that the system before this one sent does what the funnel's `old_buttons` say.
- The same button of the same message within ECHO_SECONDS is a double tap and does nothing. Money does not lean on that:
  an order bump's buttons act only while the lead stands at it, and a basket has one open charge (steps/charge.py),
  whatever is pressed and when.
- A payment's event is handled on the payment's own version and step, wherever the lead stands by now. It moves the lead
  only if the lead still stands at that charge, or what follows waits for something (a delay, a question); and not
  while the lead is buying something else.
- What was planned for later (a reminder, a downsell, an upsell: nudges.py) is looked at again at its time, on the
  version that planned it. Where it is still wanted, a downsell or an upsell leads the lead on from wherever it stands.
- What a lead waits for (a delay's end, an answer) concerns it only while it stands in that very wait: whoever walks on
  meanwhile leaves it behind, and its timer finds nothing to do.
- While a person has the chat the funnel is silent: nothing but payments and their buttons is acted upon. What came due
  meanwhile follows when the chat is given back.
- Steps follow one another at once at most as often as the funnel has steps, so even a loop that no check has seen ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Effect, Wake
from grimbots.services.funnels.events import (
    Event,
    Held,
    Nudged,
    Paid,
    PaymentEvent,
    Returned,
    Started,
    StepEvent,
    Tapped,
    TappedOld,
    Woke,
    Wrote,
)
from grimbots.services.funnels.nudges import find_entry, find_obstacle
from grimbots.services.funnels.steps.base import END, Scene, Turn
from grimbots.services.funnels.walks import Tap, Walk

ECHO_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Trace:
    """What an event led to: where the lead stands, what is to be done, and the steps it came through, in order."""

    walk: Walk
    effects: tuple[Effect, ...] = ()
    path: tuple[str, ...] = ()


def advance(version: Version, lead: Walk, event: Event, now: datetime) -> tuple[Walk, tuple[Effect, ...]]:
    """Return where the lead stands after `event`, and what is to be done, in order."""
    done = trace(version, lead, event, now)
    return done.walk, done.effects


def trace(version: Version, lead: Walk, event: Event, now: datetime) -> Trace:
    """Return what `advance` does, and on which way."""
    match event:
        case Held(until):
            held = replace(lead, held_until=until)
            return Trace(held) if until else _resume(version, held, now)
        case Returned():
            return _resume(version, lead, now)
        case Tapped():
            return _take_tap(version, lead, event, now)
        case TappedOld():
            return _take_old_tap(version, lead, event, now)
        case Started() | Wrote() | Woke():
            return Trace(lead) if lead.is_held(now) else _take(version, lead, event, now)
        case Nudged():
            return _take_nudge(version, lead, event, now)
    return _take_payment_event(version, lead, event, now)


def _take(version: Version, lead: Walk, event: Started | Wrote | Woke, now: datetime) -> Trace:
    if isinstance(event, Started):
        return _start(version, lead, event.param, now)
    if isinstance(event, Wrote):
        return _react_where_it_stands(version, lead, event, now) if lead.version_id else _start(version, lead, "", now)
    is_that_wait = lead.wait is not None and (lead.step, lead.wait.number) == (event.step, event.number)
    return _react_where_it_stands(version, lead, event, now) if is_that_wait else Trace(lead)


def _react_where_it_stands(version: Version, lead: Walk, event: StepEvent, now: datetime) -> Trace:
    step = version.steps.get(lead.step) if lead.version_id == version.id else None
    scene = Scene(version, lead, now)
    turn = step.react(event, scene) if step else None
    return Trace(lead) if turn is None else _follow(scene, turn)


def _resume(version: Version, lead: Walk, now: datetime) -> Trace:
    """Go on with what came due while the bot was silent."""
    if lead.wait is None or lead.is_held(now) or not lead.is_due(now):
        return Trace(lead)
    return _take(version, lead, Woke(lead.step, lead.wait.number), now)


def _start(version: Version, lead: Walk, param: str, now: datetime) -> Trace:
    """Begin anew. Orders stay known: a charge that is open stays the charge of its basket. So does a coupon, unless
    this start brings one.
    """
    named = version.coupons.get(param.casefold())
    fresh = replace(
        lead,
        basket=(),
        tap=None,
        wait=None,
        offered=(),
        coupon=named.code if named else lead.coupon,
        variables={**lead.variables, "start_param": param},
    )
    return _follow(Scene(version, fresh, now), Turn(fresh, go=version.start))


def _take_tap(version: Version, lead: Walk, event: Tapped, now: datetime) -> Trace:
    step = version.steps.get(event.step)
    if step is None or _is_echo(lead.tap, event, now) or (lead.is_held(now) and not step.charges):
        return Trace(lead)
    scene = Scene(version, replace(lead, tap=Tap(event.nonce, event.button, now)), now)
    turn = step.react(event, scene)
    return Trace(lead) if turn is None else _follow(scene, turn)


def _take_old_tap(version: Version, lead: Walk, event: TappedOld, now: datetime) -> Trace:
    """Do what a button of the system before this one stands for; what it sells costs what the version says."""
    button, tap = version.old_buttons.get(event.name), Tap("", event.name, now)
    if button is None or lead.is_held(now) or _repeats(lead.tap, tap):
        return Trace(lead)
    taken = tuple(item for name in button.takes if name in version.steps and (item := version.steps[name].sells()))
    walk = replace(lead, tap=tap, basket=taken or lead.basket)
    return _follow(Scene(version, walk, now), Turn(walk, go=button.to))


def _is_echo(last: Tap | None, event: Tapped, now: datetime) -> bool:
    return _repeats(last, Tap(event.nonce, event.button, now))


def _repeats(last: Tap | None, tap: Tap) -> bool:
    if last is None or (last.nonce, last.button) != (tap.nonce, tap.button):
        return False
    return abs(tap.at - last.at) < timedelta(seconds=ECHO_SECONDS)


def _take_nudge(version: Version, lead: Walk, event: Nudged, now: datetime) -> Trace:
    scene = Scene(version, lead, now)
    entry = find_entry(event, scene)
    if entry is None or find_obstacle(event, scene):
        return Trace(lead)
    if event.what != "reminder":
        offered = tuple(dict.fromkeys((*lead.offered, entry.next)))
        return _follow(scene, Turn(replace(lead, offered=offered), go=entry.next))
    turn = version.steps[event.step].react(event, scene)
    return Trace(lead) if turn is None else _follow(scene, turn)


def _take_payment_event(version: Version, lead: Walk, event: PaymentEvent, now: datetime) -> Trace:
    step = version.steps.get(event.step)
    scene = Scene(version, lead, now, payment_id=event.payment_id)
    turn = step.react(event, scene) if step else None
    if turn is None:
        return Trace(lead)
    done = _follow(scene, turn)
    follows = scene.stands_at(event.step) or _has_begun_to_wait(lead, done.walk)
    if follows and not _is_buying_else(lead, event):
        return replace(done, walk=replace(done.walk, basket=(), coupon="")) if isinstance(event, Paid) else done
    stayed = replace(done.walk, version_id=lead.version_id, step=lead.step, basket=lead.basket, wait=lead.wait)
    if isinstance(event, Paid):
        stayed = replace(stayed, coupon="" if done.walk.coupon == lead.coupon else lead.coupon)
    return replace(done, walk=stayed, effects=tuple(one for one in done.effects if not isinstance(one, Wake)))


def _has_begun_to_wait(before: Walk, after: Walk) -> bool:
    return after.wait is not None and after.wait != before.wait


def _is_buying_else(lead: Walk, event: PaymentEvent) -> bool:
    order = lead.find_order(event.payment_id)
    return bool(lead.basket) and (order is None or order.items != lead.basket)


def _follow(scene: Scene, turn: Turn) -> Trace:
    """Enter step after step for as long as each leads on at once."""
    steps = scene.version.steps
    walk, effects = turn.walk, list(turn.effects)
    path: list[str] = []
    while turn.go is not None:
        step = steps.get(turn.go)
        if step is not None and len(path) == len(steps):
            break
        walk = replace(walk, version_id=scene.version.id, step=step.id if step else END, wait=None)
        if step is None:
            break
        path.append(step.id)
        turn = step.enter(replace(scene, walk=walk))
        walk, effects = turn.walk, [*effects, *turn.effects]
    return Trace(walk, tuple(effects), tuple(path))
