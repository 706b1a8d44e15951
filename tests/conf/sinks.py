"""A local Sentry: an HTTP server that takes envelopes as the real one does, and keeps them as they came."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

from grimbots.tests.ports import pick_port

KEY = "f00d" * 8
WAIT_SECONDS = 30


class Sink:
    """What was received."""

    def __init__(self, port: int) -> None:
        self.dsn = f"http://{KEY}@127.0.0.1:{port}/42"
        self.texts: list[str] = []
        self._changed = Condition()

    def take(self, text: str) -> None:
        """Keep an envelope."""
        with self._changed:
            self.texts.append(text)
            self._changed.notify_all()

    def wait_events(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many events have come, and give all of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.read_events()) >= count, WAIT_SECONDS)
            return self.read_events()

    def read_events(self) -> list[dict[str, Any]]:
        """Give the events of the envelopes: a header, then a header and a body per item, each on a line."""
        items = [text.splitlines()[1:] for text in self.texts]
        return [
            json.loads(body)
            for lines in items
            for head, body in zip(lines[::2], lines[1::2], strict=True)
            if json.loads(head)["type"] == "event"
        ]


def _unpack(body: bytes, encoding: str | None) -> bytes:
    if encoding == "br":  # the SDK's choice as soon as some package has brought brotli along
        import brotli

        return bytes(brotli.decompress(body))
    return gzip.decompress(body) if encoding == "gzip" else body


@contextmanager
def open_sink() -> Iterator[Sink]:
    """Give a listening sink."""
    sink = Sink(pick_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.take(_unpack(body, self.headers.get("Content-Encoding")).decode())
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", int(sink.dsn.rsplit(":", 1)[1].partition("/")[0])), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
