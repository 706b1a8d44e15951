"""The watch over the event loop: what it says of a loop that is held up, and how a stuck process ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from grimbots.conf import loops
from grimbots.conf.loops import LoopWatch, Patience

PATIENCE_SECONDS = 30.0
MORE_LOOKS_SECONDS = 0.3


class Quick(Patience):
    """Short, but for the clock in C: that one would end the tests' own process, where one of them fails."""

    @property
    def frozen_seconds(self) -> float:
        """Longer than any test holds the loop up."""
        return 6 * PATIENCE_SECONDS


QUICK = Quick(look_seconds=0.02, slow_seconds=0.4, stuck_seconds=1.5)
STUCK = "the event loop is stuck"


def hold_up(until: threading.Event) -> None:
    assert until.wait(PATIENCE_SECONDS)
    threading.Event().wait(MORE_LOOKS_SECONDS)  # it is told once, however long it goes on


def count_log(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)


@pytest.mark.gen_test
async def test_says_once_where_a_loop_is_held_up(caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "hold_up(told)" in record.getMessage():
                told.set()

    listener = Listener()
    logging.getLogger("grimbots.conf.loops").addHandler(listener)
    with LoopWatch(QUICK, exit_process=lambda _: None):
        hold_up(told)
        await asyncio.sleep(0.1)
    logging.getLogger("grimbots.conf.loops").removeHandler(listener)
    assert count_log(caplog, "hold_up(told)") == 1
    assert count_log(caplog, "goes on; it was held up for") >= 1  # a busy machine holds it up as well


@pytest.mark.alone
@pytest.mark.gen_test
async def test_says_nothing_of_a_loop_that_runs(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    with LoopWatch(QUICK, exit_process=lambda _: ended.set()):
        for _ in range(100):
            await asyncio.sleep(0.02)
    assert not ended.is_set()
    assert count_log(caplog, "held up") == 0


@pytest.mark.alone
@pytest.mark.gen_test
async def test_forgets_a_short_stop_once_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with LoopWatch(Quick(look_seconds=0.02, slow_seconds=1.0), exit_process=lambda _: None):
        for _ in range(4):
            threading.Event().wait(0.4)
            await asyncio.sleep(0.1)
    assert count_log(caplog, "is held up for") == 0


@pytest.mark.gen_test
async def test_ends_the_process_of_a_stuck_loop() -> None:
    reasons: list[str] = []
    ended = threading.Event()

    def end(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    with LoopWatch(QUICK, exit_process=end):
        hold_up(ended)
    assert reasons == [STUCK]


PROGRAM = """
import asyncio, logging, re, sys, time
from grimbots.conf import loops
from grimbots.conf.loops import LoopWatch, Patience

async def main():
    with LoopWatch(Patience(look_seconds=0.02, slow_seconds=0.1, stuck_seconds=0.5)):
        await asyncio.sleep(0.1)
        print("watched", flush=True)
        {stuck}

logging.basicConfig(level="INFO")
asyncio.run(main())
"""


@contextmanager
def run(stuck: str) -> Iterator[subprocess.Popen[str]]:
    """Give a process that is about to get stuck in that line; killed at the end, should it not have ended."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(stuck=stuck)], stdout=pipe, stderr=pipe, text=True, env=dict(os.environ)
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "watched\n"
            yield process
        finally:
            process.kill()


def test_a_process_with_a_stuck_loop_ends_with_its_stacks() -> None:
    with run("time.sleep(60)") as process:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == os.EX_SOFTWARE
    assert f"this process ends now: {STUCK}" in said
    assert "Current thread" in said


def test_a_process_stuck_in_c_with_the_interpreter_in_its_hands_ends_too() -> None:
    with run("re.match('(a+)+b', 'a' * 60)") as process:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "Timeout" in said
    assert "in main" in said


def test_a_process_stuck_in_a_log_nobody_reads_ends_too() -> None:
    with run("[logging.info('x' * 100000) for _ in range(100)]") as process:
        assert process.wait(PATIENCE_SECONDS) == os.EX_SOFTWARE  # its pipe is full and stays so


@pytest.mark.alone
def test_a_process_that_was_stopped_for_a_moment_lives() -> None:
    with run("await asyncio.sleep(2)") as process:
        process.send_signal(signal.SIGSTOP)
        signal.sigtimedwait(
            [], 0.7
        )  # longer than a loop may be stuck; only a real stop can show that it does not count
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "goes on; it was held up for" in said


def test_lag_is_the_worst_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(loops, "monotonic", lambda: now)
    lag = loops.Lag()
    assert lag.worst_seconds() == 0
    for at, late_seconds in ((1000, 0.2), (1010, 0.9), (1020, 0.1), (1050, 0.3)):
        now = at
        lag.note(late_seconds)
    assert lag.worst_seconds() == 0.9
    now = 1071
    assert lag.worst_seconds() == 0.3
    now = 1111
    assert lag.worst_seconds() == 0
