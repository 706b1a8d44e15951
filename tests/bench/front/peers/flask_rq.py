"""Flask under gunicorn, one process with 8 threads, each update queued with RQ before its 200: what this replaces.

The old system ran gunicorn's eventlet worker, which gunicorn has dropped; threads are what its documentation names
instead. https://flask.palletsprojects.com/en/stable/deploying/gunicorn/ (Flask 3.1.3, gunicorn 27.0.1, RQ 3.0.0).
"""

from __future__ import annotations

import hmac
from typing import Any

from flask import Flask, abort, request
from gunicorn.app.base import BaseApplication
from redis import Redis  # noqa: TID251 (RQ takes no other)
from rq import Queue, SimpleWorker

from grimbots.tests.bench.front.contract import HOST, PATH, REDIS_URL, SECRET, SECRET_HEADER, execute_blocking, main

OPTIONS = {"workers": 1, "worker_class": "gthread", "threads": 8, "worker_connections": 1000, "keepalive": 75}

app = Flask(__name__)
queue = Queue("bench", connection=Redis.from_url(REDIS_URL))


@app.post(PATH)
def take() -> str:
    """Queue an update."""
    if not hmac.compare_digest(request.headers.get(SECRET_HEADER, ""), SECRET):
        abort(401)
    queue.enqueue(execute_blocking, request.get_json(), result_ttl=0)
    return ""


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with options of ours."""

    def __init__(self, port: int) -> None:
        self._options = {**OPTIONS, "bind": f"{HOST}:{port}"}
        super().__init__()

    def load_config(self) -> None:
        """Hand the options over."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Give the application."""
        return app


def serve(port: int) -> None:
    """Serve until killed."""
    Server(port).run()


def work() -> None:
    """Run jobs until killed."""
    SimpleWorker([queue], connection=queue.connection).work(logging_level="ERROR")


if __name__ == "__main__":
    main(serve, work)
