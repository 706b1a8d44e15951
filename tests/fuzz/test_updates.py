"""Updates that the front door lets in are handled, whatever stands in them: on real rows, by a real funnel."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from grimbots.conf.foreign_json import read_object
from grimbots.services import updates
from grimbots.tests.fuzz.mutations import mutate_json, pick_nasty
from grimbots.tests.fuzz.parsers import make_update
from grimbots.tests.fuzz.runs import INPUTS, SEED
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.conftest import buyer, query

__all__ = ["buyer", "query"]

UPDATE_INPUTS = INPUTS // 50


@pytest.mark.gen_test(timeout=900)
async def test_handle_takes_whatever_update_is_let_in(
    app: Any, buyer: Buyer, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, outcomes = Random(f"{SEED} handled"), Counter[str]()
    await buyer.say("/start")
    shown = [buyer.find_button("Ver")]
    for number in range(UPDATE_INPUTS):
        update = make_talk(rng, buyer, shown) if rng.random() < 0.7 else read_object(make_update(rng))
        routed = updates.route(update)
        if update is None or routed is None or not routed.acts:
            outcomes["refused"] += 1
            continue
        try:
            done = await updates.handle(app, bot_id=buyer.tenant.bot_id, update=update, received_at=None)
        except Exception as fault:
            fault.add_note(f"update {number} of seed {SEED}: {update!r}"[:600])
            raise
        outcomes["answered" if done and done.follow_ups else "silent"] += 1
    with capsys.disabled():
        print(f"\nfuzz updates handled: {UPDATE_INPUTS:,} inputs: {dict(outcomes)}; 0 faults", end="")
    assert min(outcomes["answered"], outcomes["silent"], outcomes["refused"]) > 0


def make_talk(rng: Random, buyer: Buyer, shown: list[str]) -> Any:
    """Make what this buyer might do: write, press what was shown, or nearly."""
    text = rng.choice(("/start", "/start AbC", "oi", str(pick_nasty(rng))))
    data = rng.choice([*shown, shown[0].replace(":", "::"), f"{shown[0]}x", str(pick_nasty(rng))])
    update = rng.choice((buyer.make_text(text), buyer.make_tap(data), buyer.make_membership("member")))
    return update if rng.random() < 0.5 else mutate_json(rng, update)
