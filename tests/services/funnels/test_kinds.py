"""A new kind of step is one file: found, read, checked and walked without another line anywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grimbots.services.funnels import steps
from grimbots.services.funnels.check import check
from grimbots.services.funnels.events import Started
from grimbots.services.funnels.kinds import find_kinds
from grimbots.tests.services.funnels.samples import FILES, make_funnel, make_version
from grimbots.tests.services.funnels.walkers import Walker

JUMP = """
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.fields import Target
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump(Step):
    kind: ClassVar[str] = "jump"
    to: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        return Turn(scene.walk, go=self.to)

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.to, "to", "now")
"""


@pytest.fixture
def jump(tmp_path: Path) -> Iterator[None]:
    """Put one more file where the kinds are looked for."""
    (tmp_path / "jump.py").write_text(JUMP)
    before = list(steps.__path__)
    steps.__path__ = [*before, str(tmp_path)]
    find_kinds.cache_clear()
    yield
    steps.__path__ = before
    find_kinds.cache_clear()
    sys.modules.pop("grimbots.services.funnels.steps.jump", None)


def test_find_kinds_finds_those_that_ship() -> None:
    assert set(find_kinds()) == {"message", "offer", "bump", "charge", "delivery"}


def test_a_new_file_is_a_new_kind(jump: None) -> None:
    assert "jump" in find_kinds()


def test_a_new_kind_is_checked(jump: None) -> None:
    problems = check(make_funnel(bye={"kind": "jump", "to": "nowhere"}), FILES)
    assert {(problem.step, problem.field) for problem in problems} >= {("bye", "text"), ("bye", "next")}
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": "jump", "to": "nowhere"}
    assert [(problem.step, problem.field) for problem in check(funnel, FILES)] == [("bye", "to")]


def test_a_new_kind_is_walked(jump: None) -> None:
    funnel = make_funnel()
    funnel["steps"][-1] = {"id": "bye", "kind": "jump", "to": "after"}
    assert check(funnel, FILES) == []
    walker = Walker(make_version(funnel))
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "decline")
    assert walker.steps_said == ["after"]
