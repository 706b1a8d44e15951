"""RQ, its default worker: a fork for each job. https://python-rq.org/docs/workers/ (3.0.0, November 2026)."""

from __future__ import annotations

from rq import Worker

from grimbots.tests.bench.queue.contract import main
from grimbots.tests.bench.queue.peers.rq import open_send, work_with


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    work_with(Worker, url)


if __name__ == "__main__":
    main(open_send, work)
