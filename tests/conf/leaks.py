"""What must never be seen, and a program that says it in every way a process can: `python -m ...leaks <database>`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"
PIX = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000"
    "5204000053039865802BR5913Fulano d'Ávila6008BRASILIA62070503***63041D3D"
)
DATABASE = "postgresql://grimbots:p%40ss-of-the-base@db.example.com/grimbots"
KEYFILE = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----"


@dataclass(frozen=True)
class Leak:
    """A secret in its sentence; `needle` must not be seen of it."""

    text: str
    needle: str


LEAKS = {
    "token": Leak(f"refused for {TOKEN}", "AAHdqTcv"),
    "token in a path": Leak(f"POST https://api.telegram.org/bot{TOKEN}/sendMessage", "AAHdqTcv"),
    "token encoded": Leak(f"GET /x?u=bot{TOKEN.replace(':', '%3A')}", "AAHdqTcv"),
    "token of dashes": Leak(f"({TOKEN[:-4]}---_)", "AAHdqTcv"),
    "pix code": Leak(f"shown: {PIX}", "123e4567"),
    "pix code cut off": Leak(f"shown: {PIX[:90]}", "123e4567"),
    "pix code in capitals": Leak(PIX.upper(), "123E4567"),
    "cpf": Leak("payer 529.982.247-25.", "529.982"),
    "cpf of digits": Leak("payer 52998224725", "52998224725"),
    "cnpj": Leak("payer 12.ABC.345/01DE-35", "12.ABC.345"),
    "phone": Leak("call +5511999998888", "999998888"),
    "phone written": Leak("call +55 (11) 99999-8888 now", "99999-8888"),
    "phone without country": Leak("call (11) 3333-4444", "3333-4444"),
    "phone of digits": Leak("contact 11987654321", "11987654321"),
    "phone of WhatsApp": Leak("5511987654321@s.whatsapp.net", "987654321"),
    "phone abroad": Leak("call +1 415-555-0123", "415-555"),
    "e-mail": Leak("sent to maria.silva+x@example.com.br", "maria"),
    "e-mail encoded": Leak("GET /x?u=maria.silva%40example.com", "maria"),
    "password in JSON": Leak('{"password": "hunter two"}', "hunter"),
    "password in JSON in a string": Leak(r'"{\"senha\": \"hunter, two\"}"', "hunter"),
    "password in Python": Leak("{'client_secret': b'hunter two', 'x': 1}", "hunter"),
    "password in a form": Leak("email=a&password=hunter2&next=/", "hunter2"),
    "password cut off": Leak('{"password": "hunter two', "hunter"),
    "password of libpq": Leak("host=db user=x password='hunter two' dbname=y", "hunter"),
    "password of Postgres": Leak("cannot reach postgres://u:hun/ter@2@db/x", "hun/ter"),
    "password of Redis": Leak("redis://:hunter2@cache:6379/0", "hunter2"),
    "password of Sentinel": Leak("redis+sentinel://:hunter2@a:1,b:2/m", "hunter2"),
    "password of the proxy": Leak("via http://bot:hunter2@proxy:3128", "hunter2"),
    "password of the settings": Leak("fe_sendauth: p@ss-of-the-base", "of-the-base"),
    "DSN": Leak("https://0123456789abcdef@o1.ingest.sentry.io/2", "0123456789abcdef"),
    "webhook path": Leak("POST /webhook/telegram/AbC_123-x failed", "AbC_123"),
    "webhook path of a gateway": Leak("POST /webhook/payment/PushinPay/AbC_123-x/pix", "AbC_123"),
    "webhook path encoded": Leak("uri=%2Fwebhook%2Ftelegram%2FAbC_123-x", "AbC_123"),
    "login link": Leak("GET /login/link/AbC_123-x", "AbC_123"),
    "session cookie": Leak("Cookie: grimbots_language=en; __Host-grimbots=abc def", "abc def"),
    "session cookie in Python": Leak("{'Cookie': 'a=1; grimbots=own-way'}", "own-way"),
    "header pair": Leak("('X-Telegram-Bot-Api-Secret-Token', 'abc-def')", "abc-def"),
    "bearer": Leak("Authorization: Bearer abc.def-ghi", "def-ghi"),
    "basic": Leak("sent Basic Zm9vOmJhcg==", "Zm9v"),
    "api key": Leak("api_key=abc-def-1", "abc-def"),
    "drawn by lot": Leak("key dGhpcyBpcyBh0bm90aGVyIEtF gone", "dGhpcyBp"),
    "private key": Leak(KEYFILE, "MIGHAgEA"),
}
ALL = "\n".join(leak.text for leak in LEAKS.values())
log = logging.getLogger("leaks")


class Custom(Exception):
    """An error whose text is all of it."""


class Unlucky:
    """Raises where nobody can catch it."""

    def __del__(self) -> None:
        """Raise."""
        raise Custom(ALL)


def fail(text: str = ALL) -> None:
    """Raise from another error, with a note."""
    try:
        raise Custom(text)
    except Custom as inner:
        outer = ValueError(text)
        outer.add_note(text)
        raise outer from inner


def say_in_message() -> None:
    """All in the message."""
    log.warning("in the message: " + ALL)


def say_in_arguments() -> None:
    """All in what is filled in."""
    log.warning("in arguments: %s %r", ALL, {"told": [ALL]})


def say_in_extra() -> None:
    """All in fields; numbers, and names that say it, too."""
    extra = {"told": ALL, "deep": [{"text": ALL}], "cpf_number": 52998224725, "number": 52998224725, ALL: 1}
    log.warning("in extra", extra={**extra, "password": "hunter2"})


def say_in_traceback() -> None:
    """All in an error, its cause and its note."""
    try:
        fail()
    except ValueError:
        log.exception("in a traceback")


def say_badly() -> None:
    """A line that cannot be put together."""
    log.warning("%d of them", ALL)


def say_by_tornado() -> None:
    """Tornado's own loggers."""
    for name in ("access", "application", "general"):
        logging.getLogger(f"tornado.{name}").warning("by tornado: %s", ALL)


def warn() -> None:
    """A warning."""
    warnings.warn(ALL, stacklevel=1)


def die_in_thread() -> None:
    """An error nobody catches in a thread."""
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def die_in_finalizer() -> None:
    """An error nobody can catch."""
    Unlucky()
    gc.collect()


def die_in_task() -> None:
    """A task whose end nobody awaits, and a callback that fails."""

    async def run() -> None:
        asyncio.get_running_loop().call_soon(fail)
        task = asyncio.create_task(asyncio.to_thread(fail))
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(run())


def die_in_postgres() -> None:
    """Errors of psycopg2 with what was in the statement."""
    import psycopg2

    statements = ("SELECT %(value)s::bigint", "SELECT 1 FROM nowhere WHERE x = %(value)s", "DO %(value)s")
    for statement in statements:
        try:
            with psycopg2.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
                cursor.execute(statement, {"value": ALL})
        except psycopg2.Error:
            log.exception("in postgres")
    try:
        psycopg2.connect(DATABASE.replace("@db.example.com", "@127.0.0.1:1") + "?" + ALL)
    except psycopg2.Error:
        log.exception("in a connection")


def report_by_hand() -> None:
    """What an integration would add: a request, a person, breadcrumbs, the local variables of a frame."""
    import sentry_sdk

    sentry_sdk.add_breadcrumb(message=ALL, data={"body": ALL})
    request = {
        "url": "https://x/webhook/telegram/AbC_123-x",
        "query_string": ALL,
        "cookies": {"grimbots": "abc-def"},
        "headers": {"Cookie": "grimbots=abc-def", "X-Api-Key": "abc-def", "Referer": ALL},
        "data": {"password": "hunter2", "deep": [{"text": ALL}]},
        "env": {"REMOTE": ALL},
    }
    frame = {"function": "f", "vars": {"token": "abc-def", "text": ALL, "deep": {"list": [ALL]}}}
    error = {"type": "X", "value": ALL, "stacktrace": {"frames": [frame]}}
    event = {
        "message": "by hand",
        "request": request,
        "user": {"email": "maria.silva@example.com", "id": ALL},
        "exception": {"values": [error]},
        "extra": {"text": ALL, "senha": "hunter2"},
        "tags": {"text": ALL},
        "contexts": {"c": {"text": ALL}},
        "server_name": ALL,
        "transaction": ALL,
    }
    sentry_sdk.capture_event(event)  # type: ignore[arg-type]
    log.warning("by hand")


WAYS: tuple[Callable[[], None], ...] = (
    say_in_message,
    say_in_arguments,
    say_in_extra,
    say_in_traceback,
    say_badly,
    say_by_tornado,
    warn,
    die_in_thread,
    die_in_finalizer,
    die_in_task,
    die_in_postgres,
    report_by_hand,
)


def main() -> None:
    """Say it in every way, and die of it."""
    from grimbots.conf import logs, sentry
    from grimbots.conf.settings import load

    logs.set_up("DEBUG", [DATABASE])
    sentry.set_up(load({"SENTRY_DSN": os.environ.get("SENTRY_DSN", "")}))
    logs.begin(job_id=ALL)
    for way in WAYS:
        log.warning("way %s", way.__name__)
        way()
    fail()


if __name__ == "__main__":
    main()
