"""docs/deploy.md and its translation: the same commands, and nothing named that is not there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from grimbots.handlers.commands.cli import build_parser
from grimbots.tests.deploy.guides import GUIDE, ROOT, TRANSLATION, read_steps, strip_comments


def test_both_languages_give_the_same_commands() -> None:
    english, portuguese = (
        [strip_comments(step.commands) for step in read_steps(guide)] for guide in (GUIDE, TRANSLATION)
    )
    assert english == portuguese
    assert len(english) >= 8


@pytest.mark.parametrize("guide", [GUIDE, TRANSLATION])
def test_every_path_of_the_checkout_is_there(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    named = re.findall(r"/opt/grimbots/(?:current|source)/((?:deploy|conf)[\w./@-]*)", text)
    linked = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [link for link in linked if not (guide.parent / link).exists()] == []
    assert len(named) > 5


def test_every_unit_of_the_guide_is_shipped() -> None:
    shipped = {path.name for path in (ROOT / "deploy" / "systemd").iterdir()}
    named = set(re.findall(r"grimbots[\w-]*\.(?:service|socket|target|timer)\b", GUIDE.read_text(encoding="utf-8")))
    assert named <= shipped


def test_every_command_of_the_guide_is_one() -> None:
    lines = "\n".join(line for step in read_steps(GUIDE) for line in strip_comments(step.commands))
    commands = re.findall(r"(?:^|&& )grimbots ([^&\n]+)", lines, re.MULTILINE)
    for command in commands:
        build_parser().parse_args(shlex.split(command))  # SystemExit where a verb or an option is not there
    assert len(commands) >= 6
