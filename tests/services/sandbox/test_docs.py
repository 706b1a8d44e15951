"""docs/sandbox.md: every route of the JSON face has an example there, and every example works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from grimbots.services.sandbox.server import ROUTES
from grimbots.tests.services.sandbox.drivers import Driver, Webhook

TEXT = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"""curl "?\$S/([^\s"`]+)"?(?: -d '([^']*)')?""")
TXID = "a1B2" * 8
DISPUTE = "med_1"
BUTTON = {"inline_keyboard": [[{"text": "Quero", "callback_data": "v1:a"}]]}


def list_examples() -> list[tuple[str, str]]:
    """Give the path and the body ("": none) of each example."""
    return [
        (
            path.replace("demo_bot", "loja_bot").replace("<txid>", TXID).replace("<return_id>", DISPUTE),
            body.replace("demo_bot", "loja_bot"),
        )
        for path, body in EXAMPLE.findall(TEXT)
    ]


@pytest.mark.gen_test
@pytest.mark.parametrize(("path", "body"), list_examples())
async def test_example_works(sandbox: Driver, webhook: Webhook, path: str, body: str) -> None:
    await sandbox.say(chat=77)
    await sandbox.call("sendMessage", chat_id=77, text="Oferta", reply_markup=BUTTON)
    await sandbox.put_charge(TXID, webhook.url)
    await open_group(sandbox, webhook, path)
    await open_dispute(sandbox, path)
    reply = await sandbox.face(path, "POST" if body else "GET", json.loads(body) if body else None)
    assert reply.status == 200, reply.body


async def open_group(sandbox: Driver, webhook: Webhook, path: str) -> None:
    """Make the group -1 as an example about it finds it: with the bot, a link, and the person in it who is to leave."""
    if not path.startswith("groups/"):
        return
    await sandbox.face("groups", "POST", {"title": "VIP", "type": "group"})
    await sandbox.face("groups/-1/bots", "POST", {"bot": "loja_bot"})
    row = await sandbox.call("createChatInviteLink", chat_id=-1)
    known = "UPDATE invite_links SET link = 'https://t.me/+link' WHERE link = :link"
    sandbox.server.sandbox.store.run(known, link=row.json["result"]["invite_link"])
    if path.endswith("leaves"):
        await sandbox.face("groups/-1/joins", "POST", {"user_id": 77, "link": "https://t.me/+link"})


async def open_dispute(sandbox: Driver, path: str) -> None:
    """Let the charge be paid as an example about disputes finds it, and the dispute be open where it is to be ended."""
    if path.endswith("/disputes") or path.startswith("returns/"):
        await sandbox.face(f"pix/{TXID}/pay", "POST", {})
    if path.startswith("returns/"):
        await sandbox.face(f"pix/{TXID}/disputes", "POST", {})
        sandbox.server.sandbox.store.run("UPDATE returns SET id = :id", id=DISPUTE)


@pytest.mark.parametrize("route", [route for route, _ in ROUTES if route.startswith("/sandbox/api/")])
def test_route_has_an_example(route: str) -> None:
    paths = [f"/sandbox/api/{path}".partition("?")[0] for path, _ in list_examples()]
    assert any(re.fullmatch(route, path) for path in paths)
