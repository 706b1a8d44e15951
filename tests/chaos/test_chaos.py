"""A slice of `make chaos`, and its verdict over records of which each thing that must not be is a part."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from grimbots.handlers.commands.embedded.children import find_holders
from grimbots.tests.chaos.crews import Crew, Family, Strangers
from grimbots.tests.chaos.ledger import Effect, Ledger, Start
from grimbots.tests.chaos.runs import Plan, plan_family, plan_freezes, plan_renewals, plan_strangers, run
from grimbots.tests.chaos.storms import Fault
from grimbots.tests.chaos.verdicts import DIED, Verdict, judge

SEED = 7
SLACK_SECONDS = 8.0  # until a job runs again beside other tests; `make chaos` has the promised bounds


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [plan_family(15, bound_seconds=SLACK_SECONDS), plan_strangers(12, bound_seconds=10 + SLACK_SECONDS)],
    ids=["family", "strangers"],
)
def test_nothing_is_lost_repeated_or_out_of_order_in_a_storm(tmp_path: Path, plan: Plan) -> None:
    verdict, storm = asyncio.run(run(plan, SEED, tmp_path / "run"))
    assert verdict.faults == [], f"{storm.count()}\n{verdict.describe()}"
    assert verdict.accepted > 100
    assert {fault.name for fault in storm.faults} & DIED


@pytest.mark.slow
def test_who_wakes_after_his_lease_does_not_call(tmp_path: Path) -> None:
    verdict, _ = asyncio.run(run(plan_freezes(1), SEED, tmp_path / "run"))
    assert verdict.faults == [], verdict.describe()
    assert verdict.under_way > 0


@pytest.mark.slow
def test_rolling_restarts_interrupt_nothing(tmp_path: Path) -> None:
    verdict, _ = asyncio.run(run(plan_renewals(3), SEED, tmp_path / "run"))
    assert (verdict.faults, verdict.repeated_retry, verdict.uncertain) == ([], 0, 0), verdict.describe()
    assert verdict.accepted > 50


@pytest.mark.parametrize("crew", [Family, Strangers])
def test_a_run_that_breaks_leaves_no_process_and_no_socket(tmp_path: Path, crew: type[Crew]) -> None:
    with pytest.raises(AttributeError, match="_unheard_of"):
        asyncio.run(run(Plan("broken", crew, {"unheard_of": 1}, 10, 10), SEED, tmp_path / "run"))
    gc.collect()  # an unclosed socket says so
    assert [pid for pid in find_holders(Path.cwd(), "python") if str(tmp_path) in read_command(pid)] == []


def read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def make_effects(policy: str = "retry") -> dict[str, Effect]:
    """Make the rows of two updates of a chat that all went well."""
    return {
        f"c:{place // 2}#{place % 2}": Effect("c", place, policy, state="sent", happened=[place]) for place in range(4)
    }


def judge_rows(effects: dict[str, Effect], under_way: int = 0) -> Verdict:
    return judge(["c:0", "c:1"], effects, {}, [], under_way)


def test_verdict_finds_nothing_where_all_went_well() -> None:
    verdict = judge_rows(make_effects())
    assert (verdict.faults, verdict.done, verdict.accepted) == ([], 4, 2)


def test_verdict_finds_what_was_lost() -> None:
    effects = make_effects()
    del effects["c:1#1"]
    effects["c:1#0"].state = "planned"
    effects["c:0#1"].happened = []  # called sent, and never happened
    assert judge_rows(effects).lost == ["c:0#1 (sent)", "c:1#0 (planned)", "c:1#1 (never planned)"]


def test_verdict_lists_what_is_uncertain_and_does_not_call_it_lost() -> None:
    effects = make_effects("once")
    effects["c:1#0"].state, effects["c:1#0"].happened, effects["c:1#0"].doubtful = "uncertain", [], True
    verdict = judge_rows(effects)
    assert (verdict.faults, verdict.uncertain) == ([], 1)


def test_verdict_finds_a_repeated_once() -> None:
    effects = make_effects("once")
    effects["c:0#0"].happened = [0, 9]
    assert judge_rows(effects, under_way=5).faults == ["a `once` effect happened twice: c:0#0"]


def test_verdict_allows_as_many_repeats_as_were_under_way() -> None:
    effects = make_effects()
    effects["c:0#0"].happened = [0, 9]
    assert judge_rows(effects, under_way=1).faults == []
    assert judge_rows(effects, under_way=0).faults == ["1 repeats, but only 0 effects were under way at the kills"]


def test_verdict_finds_an_inversion_unless_the_row_admits_a_doubt() -> None:
    effects = make_effects()
    effects["c:0#1"].happened = [7]
    assert judge_rows(effects).faults == ["out of order: c:0#1 after c:1#0"]
    effects["c:0#1"].doubtful = True
    assert judge_rows(effects).faults == []


def test_verdict_finds_a_call_of_who_no_longer_held_the_row() -> None:
    effects = make_effects()
    effects["c:0#0"].strange = [4711]
    assert judge_rows(effects).faults == ["called by who no longer held it: c:0#0 by 4711"]


@pytest.mark.gen_test
async def test_ledger_names_who_calls_under_an_old_claim(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    await ledger.plan(1, "c:0", "c", 0, "retry")
    for pid, fence in ((1, "10"), (2, "11"), (1, "12")):
        assert await ledger.begin(pid, "c:0#0", fence)
    await ledger.call(1, "c:0#0", "12")
    assert ledger.effects["c:0#0"].strange == []
    for pid, fence in ((1, "10"), (2, "11")):  # the same process, too: its job was taken away and came back
        await ledger.call(pid, "c:0#0", fence)
    assert ledger.effects["c:0#0"].strange == [1, 2]
    await ledger.close()


def test_verdict_finds_a_recovery_over_its_bound_unless_disturbed() -> None:
    starts = {"a": [Start(1, 99.0), Start(2, 102.5)]}
    kill = Fault("kill_worker", 100.0, 100.0, pid=1)
    late = ["a killed worker's job ran again only after 2.50 s"]
    assert judge([], {}, starts, [kill], 0, bound_seconds=2.0).faults == late
    assert judge([], {}, starts, [kill], 0, bound_seconds=2.5).faults == []
    lost = Fault("lose_reply", 101.0, 101.0)  # of the request that the new process sent
    assert judge([], {}, starts, [kill, lost], 0, bound_seconds=2.0).faults == []


def test_verdict_tells_recoveries_in_calm_water_from_others() -> None:
    starts = {"a": [Start(1, 99.0), Start(2, 101.0)], "b": [Start(3, 199.0), Start(2, 203.0)], "c": [Start(1, 90.0)]}
    faults = [
        Fault("kill_worker", 100.0, 100.0, pid=1),
        Fault("kill_worker", 200.0, 200.0, pid=3),
        Fault("kill_redis", 201.0, 202.0),
    ]
    verdict = judge([], {}, starts, faults, 0)
    assert (verdict.recoveries, verdict.disturbed) == ([1.0], [3.0])
