"""Whose the processor and the memory were: of processes and what they started, from /proc."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@contextmanager
def measure_shares(pids: Mapping[str, int], shares: dict[str, float]) -> Iterator[None]:
    """Put into `shares`, per name, how much of one core its process took while the block ran."""
    before, began_at = _read_all(pids), time.monotonic()
    yield
    after, lasted = _read_all(pids), time.monotonic() - began_at
    shares |= {name: (after[name] - before[name]) / lasted for name in pids}


def _read_all(pids: Mapping[str, int]) -> dict[str, float]:
    known = set(pids.values())
    return {name: read_cpu_seconds(pid, apart=known) for name, pid in pids.items()}


def read_cpu_seconds(pid: int, apart: Container[int]) -> float:
    """Return what a process has used, with its children, living and ended, but for those that are counted `apart`."""
    own, _, ended = _read_stat(pid)
    others = (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if int(entry.name) not in apart)
    return own + ended + sum(used for used, parent, _ in map(_read_stat, others) if parent == pid)


def list_children(pid: int) -> list[int]:
    """List the processes that a process started and that live."""
    pids = sorted(int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [child for child in pids if _read_stat(child)[1] == pid]


def read_pss_mib(pid: int) -> float:
    """Return what a process holds by itself, its part of what is shared included (proc(5): Pss)."""
    try:
        found = re.search(r"^Pss: *(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:  # ended meanwhile
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _read_stat(pid: int) -> tuple[float, int, float]:
    """Return CPU seconds used, the parent's pid, and CPU seconds of children that have ended (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # ended meanwhile
        return 0.0, 0, 0.0
    user, system, ended_user, ended_system = map(int, fields[11:15])
    return (user + system) / TICKS_PER_SECOND, int(fields[1]), (ended_user + ended_system) / TICKS_PER_SECOND
