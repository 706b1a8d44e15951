"""Turns of pytest's processes: they run side by side, save for a test marked `alone`, beside which none runs."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__)


class Turns:
    """The lock of one file is the room, shared by all or one's alone; of the other, its door: nobody waits for ever.

    The files are this checkout's own: whoever runs its tests has them, and nothing is left to clean up.
    """

    def __init__(self) -> None:
        self._door = HERE.with_name("conftest.py").open(encoding="utf-8")
        self._room = HERE.open(encoding="utf-8")
        self._is_kept = False

    def enter(self, alone: bool) -> None:
        """Wait for the turn; it is kept until `leave`."""
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Let the others go on."""
        fcntl.flock(self._room, fcntl.LOCK_UN)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """Run a test in its turn; those alone keep it for the next one alone, as everybody had to stop for them."""
        alone = _is_marked(item, "alone")
        if not self._is_kept:
            self.enter(alone)
        try:
            return (yield)
        finally:
            self._is_kept = alone and nextitem is not None and _is_marked(nextitem, "alone")
            if not self._is_kept:
                self.leave()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the files with tests to run alone first, so that all stop once, then those that take long."""
        alone = {item.path for item in items if _is_marked(item, "alone")}
        slow = {item.path for item in items if _is_marked(item, "slow")}
        files = {path: place for place, path in enumerate(dict.fromkeys(item.path for item in items))}
        items.sort(
            key=lambda item: (
                item.path not in alone,
                item.path not in slow,
                files[item.path],
                not _is_marked(item, "alone"),
            )
        )


def _is_marked(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker(name) is not None
