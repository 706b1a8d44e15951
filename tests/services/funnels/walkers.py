"""A lead who walks a funnel, as updates.handle and the payment tasks would lead it, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Charge, Effect, Say
from grimbots.services.funnels.events import Event, Tapped
from grimbots.services.funnels.walks import Walk, dump, load
from grimbots.tests.services.funnels.samples import NOW, make_version, make_walk


class Walker:
    """Keeps the walk between events as leads.state does, gives messages nonces and charges payments."""

    def __init__(self, version: Version | None = None) -> None:
        self.version = version or make_version()
        self.walk: Walk = make_walk()
        self.now: datetime = NOW
        self.said: list[Say] = []
        self.charges: list[Charge] = []
        self.effects: tuple[Effect, ...] = ()

    def tell(self, event: Event, version: Version | None = None) -> Sequence[Effect]:
        """Let one thing happen; returns what came of it."""
        walk, self.effects = advance(version or self.version, self.walk, event, self.now)
        for effect in self.effects:
            if isinstance(effect, Say):
                self.said.append(effect)
            elif isinstance(effect, Charge):
                self.charges.append(effect)
                newest = replace(walk.orders[-1], payment_id=len(self.charges))
                walk = replace(walk, orders=(*walk.orders[:-1], newest))
        self.walk = load(dump(walk), version_id=walk.version_id, step=walk.step, variables=walk.variables)
        return self.effects

    def tap(self, step: str, button: str, message: int = -1, version: Version | None = None) -> Sequence[Effect]:
        """Press a button of the newest message, or of the one at that place, five seconds after what was before."""
        self.wait(seconds=5)
        return self.tap_again(step, button, message, version)

    def tap_again(self, step: str, button: str, message: int = -1, version: Version | None = None) -> Sequence[Effect]:
        """Press a button at the same moment."""
        place = message % len(self.said)
        return self.tell(Tapped(step, button, f"nonce{place}", self.said[place].payment_id), version)

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    @property
    def steps_said(self) -> list[str]:
        """Which steps the last effects spoke for."""
        return [effect.step for effect in self.effects if isinstance(effect, Say)]
