"""The product's own parent over other children: `python -m ... <command ...>`."""

from __future__ import annotations

import asyncio
import sys

from grimbots.conf import logs
from grimbots.handlers.commands.processes import keep_processes
from grimbots.tests.chaos.crews import WORKERS

if __name__ == "__main__":
    logs.set_up("INFO")
    asyncio.run(keep_processes(sys.argv[1:], range(WORKERS)))
