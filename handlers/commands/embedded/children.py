"""Child processes that do not outlive this one: in a group of their own, told to stop when their parent dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15.0
POLL_SECONDS = 0.01


class CannotStart(Exception):
    """A server or a child did not start; the message is one sentence with what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a child runs as. `mapped`: still our own user outside, another one inside a user namespace of its own."""

    uid: int
    gid: int
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A running child; `stop_signal` asks it to end in good order."""

    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    stop_signal: signal.Signals,
    environ: Mapping[str, str],
    death_signal: signal.Signals | None = None,
    identity: Identity | None = None,
    log: Path | None = None,
    descriptors: Sequence[int] = (),
) -> Child:
    """Start `command`, its output appended to `log` (None: to ours).

    A terminal's Ctrl-C does not reach it: its parent stops it when its turn comes. Should the parent die before, the
    child gets `death_signal` (None: its `stop_signal`). It inherits our open `descriptors` under the same numbers.
    """
    output = log.open("ab") if log else None
    try:
        process = subprocess.Popen(
            dress(command, identity, death_signal or stop_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environ),
            process_group=0,
            pass_fds=descriptors,
        )
    finally:
        if output:
            output.close()
    return Child(name, process, stop_signal)


def dress(
    command: Sequence[str | Path], identity: Identity | None, death_signal: signal.Signals | None = None
) -> list[str]:
    """Give `command` with what makes it run as `identity` and get `death_signal` when its parent dies.

    `setpriv` and `unshare` are util-linux's, on every Debian. The death signal comes last: a change of user clears it.
    """
    dressed = [str(part) for part in command]
    if death_signal:
        dressed = ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG"), "--", *dressed]
    if identity and identity.mapped:
        dressed = ["unshare", f"--map-user={identity.uid}", f"--map-group={identity.gid}", "--", *dressed]
    elif identity:
        user = [f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups"]
        dressed = ["setpriv", *user, "--", *dressed]
    return dressed


async def stop(child: Child, seconds: float = STOP_SECONDS) -> None:
    """Ask the child to end, and kill it when it has not ended `seconds` later."""
    if child.process.poll() is None:
        child.process.send_signal(child.stop_signal)
    try:
        async with asyncio.timeout(seconds):
            await wait(child)
    except TimeoutError:
        child.process.kill()
        await wait(child)


async def wait_ready(child: Child, is_ready: Callable[[], Awaitable[bool]], seconds: float, log: Path | None) -> None:
    """Wait until `is_ready` says so.

    Raises:
        CannotStart: the child ended, or `seconds` passed; with the end of its `log` (None: it was shown already).
    """
    try:
        async with asyncio.timeout(seconds):
            while not await is_ready():
                if child.process.poll() is not None:
                    raise CannotStart(f"{child.name} did not start: {_read_reason(log)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise CannotStart(f"{child.name} did not answer within {seconds:.0f} seconds: {_read_reason(log)}") from error


def _read_reason(log: Path | None, lines: int = 3) -> str:
    if log is None:
        return "its reason is in the lines above"
    found = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = " / ".join(line.strip() for line in found[-lines:]) or "it said nothing"
    return f"{said} (all of it in {log})"


async def wait(child: Child) -> int:
    """Wait until the child has ended and give its exit code (minus the signal's number when one ended it)."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    while (code := child.process.poll()) is None:
        descriptor = os.pidfd_open(child.process.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    return code


async def end_orphans(folder: Path, program: str, asked: signal.Signals, seconds: float = STOP_SECONDS) -> None:
    """Stop the processes of `program` that a killed run left in `folder`: ask with `asked`, after `seconds` kill.

    Every process of Postgres and of Redis works in its data folder: that is how they are found, whatever pid files
    say. The caller holds the folder's lock, so nothing found here belongs to a living run.
    """
    for number in (asked, signal.SIGKILL):
        for pid in find_holders(folder, program):
            _send(pid, number)
        try:
            async with asyncio.timeout(seconds):
                while find_holders(folder, program):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            continue
        return
    raise CannotStart(
        f"Processes {find_holders(folder, program)} hold {folder} and do not end: stop them and start again."
    )


def find_holders(folder: Path, program: str) -> list[int]:
    """List the processes we may look at whose name begins with `program` and whose working directory is `folder`."""
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [int(process.name) for process in processes if _holds(process, folder.resolve(), program)]


def _holds(process: Path, folder: Path, program: str) -> bool:
    try:
        return (process / "cwd").readlink() == folder and (process / "comm").read_text().startswith(program)
    except OSError:  # it ended meanwhile, or belongs to somebody else
        return False


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
