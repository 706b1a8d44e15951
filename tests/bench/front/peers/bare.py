"""The floor: a Tornado handler that answers 200 to every POST. It looks at nothing and keeps nothing."""

from __future__ import annotations

import asyncio

from tornado.web import Application, RequestHandler

from grimbots.tests.bench.front.contract import HOST, PATH, main


class Handler(RequestHandler):
    """Tornado has read the body when it calls."""

    def post(self) -> None:
        """Answer."""


async def _serve(port: int) -> None:
    Application([(PATH, Handler)]).listen(port, HOST)
    await asyncio.Event().wait()


def serve(port: int) -> None:
    """Serve until killed."""
    asyncio.run(_serve(port))


if __name__ == "__main__":
    main(serve)
