"""Opening a session with Postgres: blocking, so in a thread; one host of the DSN after the other; our own settings."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

DEFAULTS = {
    "application_name": "grimbots",
    "keepalives_idle": "30",
    "keepalives_interval": "5",
    "tcp_user_timeout": "15000",
}
"""Connection parameters a DSN may overrule. All but the first make a vanished peer known: in 45 s idle, 15 s busy."""

POLL_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


class Dialler:
    """The hosts of a DSN with the settings every session of ours has: UTC, and a limit for each statement.

    Args:
        statement_timeout_seconds: the server's limit for one statement; 0 is none.
        connect_timeout_seconds: for one host, after the look-up of its name.
    """

    def __init__(self, dsn: str, statement_timeout_seconds: float, connect_timeout_seconds: float = 3.0) -> None:
        options = _write_options(statement_timeout_seconds)
        self._connect_timeout_seconds = connect_timeout_seconds
        self._targets = [_complete(target, options) for target in _split_hosts(extensions.parse_dsn(dsn))]

    def dial(self) -> Any:
        """Connect to the first host that gives a session; answer psycopg2's connection in asynchronous mode. Blocks.

        Raises:
            psycopg2.OperationalError: no host gave one; the message is the last one's.
        """
        for target in self._targets[:-1]:
            try:
                return _connect(target, self._connect_timeout_seconds)
            except psycopg2.OperationalError:
                continue
        return _connect(self._targets[-1], self._connect_timeout_seconds)


def _write_options(statement_timeout_seconds: float) -> str:
    # client_connection_check_interval (Postgres 14): the statement of a client that went away ends.
    settings = {
        "client_connection_check_interval": "200ms",
        # A plan is made once in a session, perhaps while its tables are small: it must be the one for large ones
        # (tests/sql/test_plans.py looks at it). Where no index serves, the table is read all the same.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "jit": "off",  # it takes the planner's dislike of such a read for a long statement, and compiles it
        "statement_timeout": f"{statement_timeout_seconds * 1000:.0f}ms",
        "TimeZone": "UTC",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _split_hosts(given: dict[str, str]) -> list[dict[str, str]]:
    # In asynchronous mode libpq has no time limit per host: a silent first one of a list would hide the others.
    hosts, ports = given.get("host", "").split(","), given.get("port", "").split(",")
    if len(hosts) == 1 or "hostaddr" in given or len(ports) not in (1, len(hosts)):
        return [given]  # nothing to split, or nothing that fits: libpq says what is wrong
    if len(ports) == 1:
        ports *= len(hosts)
    return [{**given, "host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]


def _complete(given: dict[str, str], options: str) -> str:
    return extensions.make_dsn("", **{**DEFAULTS, **given, "options": f"{options} {given.get('options', '')}".strip()})


def _connect(dsn: str, timeout_seconds: float) -> Any:
    """Follow libpq from address to address of one host until the session stands or the time is up."""
    raw = psycopg2.connect(dsn, async_=True)
    deadline = time.monotonic() + timeout_seconds
    try:
        while (state := raw.poll()) != extensions.POLL_OK:
            if not _wait(raw.fileno(), POLL_EVENTS[state], deadline):
                raise psycopg2.OperationalError(f"no answer in {timeout_seconds:g} s")
    except BaseException:
        raw.close()
        raise
    return raw


def _wait(descriptor: int, event: int, deadline: float) -> bool:
    waiting = select.poll()  # select.select knows no descriptor over 1023
    waiting.register(descriptor, event)
    return bool(waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))
