"""A process that appends numbered records to a spool until it is killed: `python -m grimbots.tests.services.spooler`.

It prints a record's number once it is told that the record is kept.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from grimbots.services.spool import Spool


async def _append_for_ever(folder: str, writer: str) -> None:
    spool = Spool(Path(folder), "things", limit_bytes=64 << 20)
    await spool.open()
    for number in count():
        await spool.append({"writer": writer, "number": number})
        print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(_append_for_ever(*sys.argv[1:]))
