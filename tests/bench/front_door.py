"""The server without its worker: it takes updates in and nobody handles them. Run as a file, as `server.py` is."""

from __future__ import annotations

import asyncio
import gc
import signal

from grimbots.conf.logs import set_up
from grimbots.conf.settings import load
from grimbots.server import build_app, build_web, make_server


async def serve() -> None:
    """Serve until told to stop."""
    settings, stop = load(), asyncio.Event()
    set_up(settings.log_level)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with build_app(settings) as app:
        server = make_server(build_web(app))
        server.listen(settings.port, settings.host)
        gc.freeze()  # as server.py does
        await stop.wait()
        server.stop()
        await server.close_all_connections()


if __name__ == "__main__":
    asyncio.run(serve())
