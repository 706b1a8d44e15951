"""Made-up leads through a funnel: the same seed, the same report; the figures are what the events say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from grimbots.services.funnels.definitions import Version, read_version
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.simulations import Habits, Report, simulate
from grimbots.tests.services.funnels.samples import make_version

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"
EAGER = Habits(reacts=1, misreads=0, pays=1, says_paid=0, leaves=0, payment_seconds=1)


def read_example(name: str) -> Version:
    definition, _ = read_files(DEMO / f"{name}.json")
    return read_version(definition, version_id=1, assets={})[0]


def find(report: Report, step: str) -> Any:
    return next(row for row in report.steps if row["step"] == step)


def test_the_same_seed_gives_the_same_report() -> None:
    version = read_example("completo")
    first, again = (simulate(version, leads=150, days=7, seed=3) for _ in range(2))
    assert asdict(first) == asdict(again)
    assert asdict(simulate(version, leads=150, days=7, seed=4)) != asdict(first)


def test_a_lead_does_the_same_however_many_there_are() -> None:
    """Each has random numbers of its own: a change of the funnel moves the figures, not a change of the crowd."""
    version = make_version()
    assert simulate(version, leads=60, days=1, seed=1).charges <= simulate(version, leads=61, days=1, seed=1).charges


def test_the_figures_add_up() -> None:
    report = simulate(make_version(), leads=300, days=3, seed=1, habits=EAGER)
    assert find(report, "welcome")["leads"] == 300
    assert find(report, "delivery")["leads"] <= report.paid <= report.charges
    assert report.revenue_cents == sum(report.revenue_by_offer.values()) > 0
    assert report.revenue_by_offer["offer"] == 1990 * report.paid
    assert len(report.sends_per_day) == 3 and all(report.sends_per_day)


def test_who_pays_nothing_brings_nothing() -> None:
    report = simulate(make_version(), leads=50, days=3, seed=1, habits=Habits(pays=0))
    assert (report.paid, report.revenue_cents) == (0, 0) and report.charges > 0


def test_the_longest_wait_is_told() -> None:
    report = simulate(read_example("completo"), leads=300, days=14, seed=1, habits=EAGER)
    assert report.longest_wait["step"] == "tres-dias"
    assert 3 * 86_400 <= report.longest_wait["seconds"] < 4 * 86_400 + 3_600
    assert report.notices == report.posts > 0


def test_every_step_of_the_whole_example_is_walked() -> None:
    report = simulate(read_example("completo"), leads=400, days=21, seed=1, habits=Habits(misreads=0.5, reacts=0.9))
    assert [row["step"] for row in report.steps if not row["leads"]] == ["cliente"]
