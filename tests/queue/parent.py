"""The parent of `grimbots serve --processes` over a test's own children: `python -m ... <processes> <command ...>`."""

from __future__ import annotations

import asyncio
import sys

from grimbots.conf import logs
from grimbots.handlers.commands.processes import keep_processes

if __name__ == "__main__":
    logs.set_up("INFO")
    asyncio.run(keep_processes(sys.argv[2:], range(int(sys.argv[1]))))
