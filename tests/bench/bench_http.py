"""What a send costs the client: `python -m grimbots.tests.bench.bench_http --help`.

The same sendMessage through a bare keep-alive client (the floor: no bounds, no time limit, no metrics, its answer read
as JSON), through HttpClient and through TelegramClient.call, in turns, one at a time and fifty at once. This process
has a core of its own, who answers has the other. us: CPU of this process per call; /s: calls a second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter, process_time

from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import Kind, TelegramClient
from grimbots.tests.bench.loads import Client, write_request
from grimbots.tests.bench.reports import Figures, read_arguments, tell
from grimbots.tests.bench.rigs import HOST, SERVER_CORE, keep_to_core, open_receiver

TOKEN = f"900000:{'A' * 35}"
BUTTON = {"text": "Quero o guia", "callback_data": "v1:offer:accept:0123456789abcdef"}
PARAMS = {
    "chat_id": 5_000_000_000,
    "text": "Oi, Ana Paula! Este é o <b>Guia Manhãs Leves</b>, por R$ 19,90. Vamos?",
    "parse_mode": "HTML",
    "reply_markup": {"inline_keyboard": [[BUTTON]]},
}
AT_ONCE, WARM_UP_CALLS = (1, 50), 100

Call = Callable[[], Awaitable[None]]


async def measure(calls: int, runs: int) -> list[Figures]:
    """Measure `runs` times each way, the clients in turns."""
    http = HttpClient()
    await http.open()
    try:
        async with open_receiver() as port:
            with keep_to_core(SERVER_CORE):
                clients = _make_clients(port, http)
                for call in clients.values():
                    await _repeat(call, WARM_UP_CALLS, max(AT_ONCE))
                return [await _compare(clients, calls, at_once) for at_once in AT_ONCE for _ in range(runs)]
    finally:
        await http.close()


def _make_clients(port: int, http: HttpClient) -> Mapping[str, Call]:
    url = f"http://{HOST}:{port}"
    bare, telegram = Client(HOST, port), TelegramClient(http, url)

    async def send_bare() -> None:
        status, body = await bare.send(write_request(f"/bot{TOKEN}/sendMessage", {}, json.dumps(PARAMS).encode()))
        assert status == 200 and json.loads(body)["ok"]

    async def send_http() -> None:
        response = await http.request(
            "POST", f"{url}/bot{TOKEN}/sendMessage", party="telegram", json=PARAMS, timeout_seconds=20
        )
        assert response.status == 200 and json.loads(response.body)["ok"]

    async def send_call() -> None:
        assert (await telegram.call(TOKEN, "sendMessage", PARAMS)).kind is Kind.OK

    return {"bare": send_bare, "http": send_http, "call": send_call}


async def _compare(clients: Mapping[str, Call], calls: int, at_once: int) -> Figures:
    figures = Figures({"at once": at_once})
    for name, call in clients.items():
        began, used = perf_counter(), process_time()
        await _repeat(call, calls, at_once)
        figures |= {f"{name} us": (process_time() - used) / calls * 1e6, f"{name}/s": calls / (perf_counter() - began)}
    return figures | {"call/bare": figures["call us"] / figures["bare us"]}


async def _repeat(call: Call, calls: int, at_once: int) -> None:
    async def repeat() -> None:
        for _ in range(calls // at_once):
            await call()

    await asyncio.gather(*(repeat() for _ in range(at_once)))


def _main() -> None:
    arguments = read_arguments(__doc__ or "", calls=5000, runs=5)
    runs = asyncio.run(measure(arguments.calls, arguments.runs))
    tell("sendMessage, CPU of the client per call and calls a second", runs, "at once", arguments.json)


if __name__ == "__main__":
    _main()
