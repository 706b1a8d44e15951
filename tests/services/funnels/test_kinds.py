"""A new kind of step is one file: found, read, checked and walked without another line anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grimbots.services.funnels import steps
from grimbots.services.funnels.check import check
from grimbots.services.funnels.events import Started, Tapped
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.kinds import find_kinds
from grimbots.services.funnels.replays import EDITED_ID, Happening, find_difference
from grimbots.services.funnels.simulations import simulate
from grimbots.tests.services.additions import add_file
from grimbots.tests.services.funnels.samples import FILES, NOW, make_funnel, make_version, make_walk
from grimbots.tests.services.funnels.walkers import Walker

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"
SHIPPED = {
    "bump",
    "charge",
    "condition",
    "coupon",
    "delay",
    "delivery",
    "end",
    "jump",
    "message",
    "notify",
    "offer",
    "pick",
    "question",
    "stars",
    "tag",
    "webhook",
}
HOP = """
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.fields import Target
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop(Step):
    kind: ClassVar[str] = "hop"
    to: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        return Turn(scene.walk, go=self.to)

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.to, "to", "now")
"""


@pytest.fixture
def hop(tmp_path: Path) -> Iterator[None]:
    """Put one more file where the kinds are looked for."""
    with add_file(tmp_path, steps, "hop", HOP, find_kinds):
        yield


def test_find_kinds_finds_those_that_ship() -> None:
    assert set(find_kinds()) == SHIPPED


def test_an_example_uses_every_kind_that_ships() -> None:
    definition, _ = read_files(DEMO / "completo.json")
    assert {step["kind"] for step in definition["steps"]} == SHIPPED


def test_a_new_file_is_a_new_kind(hop: None) -> None:
    assert "hop" in find_kinds()


def test_a_new_kind_is_checked(hop: None) -> None:
    problems = check(make_funnel(bye={"kind": "hop", "to": "nowhere"}), FILES)
    assert {(problem.step, problem.field) for problem in problems} >= {("bye", "text"), ("bye", "next")}
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": "hop", "to": "nowhere"}
    assert [(problem.step, problem.field) for problem in check(funnel, FILES)] == [("bye", "to")]


def test_a_new_kind_is_walked(hop: None) -> None:
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": "hop", "to": "after"}
    assert check(funnel, FILES) == []
    walker = Walker(make_version(funnel))
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "decline")
    assert walker.steps_said == ["after"]


def test_a_new_kind_is_simulated_and_replayed(hop: None) -> None:
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": "hop", "to": "after"}
    version = make_version(funnel)
    report = simulate(version, leads=50, days=1, seed=1)
    assert next(row["leads"] for row in report.steps if row["step"] == "bye") > 0
    happenings = [Happening(NOW, version, Started()), Happening(NOW, version, Tapped("offer", "decline", "n"))]
    funnel["steps"][-1]["to"] = "welcome"
    difference = find_difference(happenings, make_walk(), make_version(funnel, version_id=EDITED_ID))
    assert difference is not None and difference.step == "after"
