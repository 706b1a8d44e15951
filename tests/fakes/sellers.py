"""A seller's own server, with TLS on a real port: what webhook steps tell it, each by its id."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from grimbots.tests.fakes.certificates import make_server_tls
from grimbots.tests.ports import pick_port


class SellerServer:
    """`heard` is what was told under each post's id, as often as it came. `folder` gets its certificate."""

    def __init__(self, folder: Path) -> None:
        self.port = pick_port()
        self.url = f"https://127.0.0.1:{self.port}/vendas"
        self.heard: dict[str, list[Any]] = defaultdict(list)
        routes = [(r"/.*", _Handler, {"heard": self.heard})]
        web = Application(routes, log_function=lambda handler: None)
        self._server = HTTPServer(web, ssl_options=make_server_tls(folder, "127.0.0.1"))

    async def start(self) -> None:
        """Listen."""
        self._server.listen(self.port, "127.0.0.1")

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        self._server.stop()
        await self._server.close_all_connections()


class _Handler(RequestHandler):
    def initialize(self, heard: dict[str, list[Any]]) -> None:
        self._heard = heard

    def post(self) -> None:
        self._heard[self.request.headers["webhook-id"]].append(json.loads(self.request.body))
