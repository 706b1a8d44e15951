"""`grimbots doctor`: one line per check: fine, or what is wrong and what to do."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings, find_file
from grimbots.handlers.commands.embedded.children import CannotStart
from grimbots.handlers.commands.ports import check_free
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.services import checkups, surroundings
from grimbots.services.checkups import Finding

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="check this installation and say what to do")
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print every finding; exit code 1 when something is wrong."""
    findings = [
        checkups.check_python(),
        surroundings.check_settings_file(find_file(os.environ)),
        surroundings.check_data(settings),
        surroundings.check_disk(settings),
        surroundings.check_limits(),
        surroundings.check_nginx(),
        await checkups.check_postgres(settings),
        await checkups.check_master_key(settings),
        await checkups.check_redis(settings),
        await _check_port(settings),
        checkups.check_address(settings),
        *await surroundings.check_outside(settings),
        await surroundings.check_callers(settings),
    ]
    for finding in findings:
        mark = "WRONG" if finding.cure else "ok"
        print(f"{mark:<6}{finding.subject:<12}{finding.said}" + (f": {finding.cure}" if finding.cure else ""))
    return 1 if any(finding.cure for finding in findings) else 0


async def _check_port(settings: Settings) -> Finding:
    where = f"{settings.port} of {settings.host}"
    if await is_listening(settings.host, settings.port):
        return Finding("port", f"{where}: something serves there (GrimBots itself, if it runs)")
    try:
        check_free(settings.host, settings.port)
    except CannotStart as error:
        return Finding("port", where, str(error))
    return Finding("port", f"{where} is free")
