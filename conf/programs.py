"""Programs of the system that are run to their end: what is missing or went wrong is one sentence."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

SAID_LINES = 3


class ProgramError(Exception):
    """A program is not installed, or failed; the message says which, why, and what helps."""


async def run(
    command: Sequence[str | Path],
    *,
    package: str,
    environ: Mapping[str, str] | None = None,
    given: Iterable[bytes] = (),
) -> None:
    """Run a program of Debian's `package` with `given` as its standard input; whatever ends this ends the program too.

    Raises:
        ProgramError: it is not there, or its exit code is not 0.
    """
    with TemporaryFile() as said:
        process = await _start(command, package, {**os.environ, **(environ or {})}, said)
        try:
            await _feed(process, given)
            code = await process.wait()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if code:
            said.seek(0)
            last = " / ".join(said.read().decode(errors="replace").strip().splitlines()[-SAID_LINES:])
            raise ProgramError(f"{command[0]} failed: {last or f'exit code {code}'}")


async def _start(command: Sequence[str | Path], package: str, environ: Mapping[str, str], said: IO[bytes]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, stderr=said, env=environ)
    except FileNotFoundError as error:
        raise ProgramError(f"{command[0]} is not installed: apt-get install {package}") from error


async def _feed(process: Process, given: Iterable[bytes]) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended before it had read all: its exit code says why
        for chunk in given:
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
