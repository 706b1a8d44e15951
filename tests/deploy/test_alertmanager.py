"""deploy/alertmanager, run for real: an alert arrives in Telegram and in a mailbox, where its severity says so."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_string, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.tests.deploy.fronts import DEPLOY, HOST, accepts, render, run_server
from grimbots.tests.ports import pick_port

WAIT_SECONDS = 30
TOKEN = "123456789:TOKEN-OF-A-BOT-FOR-ALERTS-ONLY"


@dataclass
class Mailbox:
    """A mail server that takes everything."""

    letters: list[Any] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one sender as much SMTP as a letter needs."""
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.letters.append(message_from_string(text, policy=policy.default))
                self.arrived.set()
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")
            if verb == b"QUIT":
                break
        writer.close()


@pytest.fixture
def mailbox(io_loop: Any) -> Iterator[tuple[Mailbox, int]]:
    """Give a listening mailbox and its port."""
    box, port = Mailbox(), pick_port()
    server = io_loop.run_sync(partial(asyncio.start_server, box.take, HOST, port))
    yield box, port
    server.close()


@pytest.fixture
def alertmanager(tmp_path: Path, fake_telegram: Any, mailbox: tuple[Mailbox, int]) -> Iterator[str]:
    """Run Alertmanager on the shipped files, in a hurry; give its address."""
    if shutil.which("prometheus-alertmanager") is None:
        pytest.skip("prometheus-alertmanager is not installed: make monitoring")
    port = pick_port()
    changes = {
        "global:\n": f"global:\n  telegram_api_url: {fake_telegram.url}\n",
        "SMTP.EXAMPLE.COM:587": f"{HOST}:{mailbox[1]}",
        '  smtp_auth_username: "ALERTS@EXAMPLE.COM"\n  smtp_auth_password_file: /etc/prometheus/smtp-password\n': "",
        "smtp_require_tls: true": "smtp_require_tls: false",
        "group_wait: 30s": "group_wait: 1ms",
        "group_interval: 5m": "group_interval: 100ms",
    }
    (tmp_path / "alertmanager.yml").write_text(render(DEPLOY / "alertmanager" / "alertmanager.yml", changes))
    shutil.copy(DEPLOY / "alertmanager" / "grimbots.tmpl", tmp_path)
    command = ["prometheus-alertmanager", f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/d"]
    listen = [f"--web.listen-address={HOST}:{port}", "--cluster.listen-address=", "--log.level=warn"]
    with run_server([*command, *listen], tmp_path / "alertmanager.log", lambda: accepts(port)):
        yield f"http://{HOST}:{port}"


@pytest.fixture
def tell(alertmanager: str) -> Callable[..., Any]:
    """Give a function that tells Alertmanager of an alert, as Prometheus does."""

    async def post(severity: str, **labels: str) -> None:
        told = {
            "labels": {"alertname": "GrimBotsQueueOld", "severity": severity, "job": "grimbots", **labels},
            "annotations": {
                "summary": "Um trabalho <espera>",
                "summary_en": "A job waits",
                "runbook": "docs/alerts.md",
            },
        }
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{alertmanager}/api/v2/alerts", json.dumps([told]).encode(), headers)
        (await asyncio.to_thread(urllib.request.urlopen, request, timeout=WAIT_SECONDS)).close()

    return post


@pytest.mark.gen_test
async def test_a_critical_alert_arrives_in_telegram_and_by_mail(
    tell: Callable[..., Any], fake_telegram: Any, mailbox: tuple[Mailbox, int]
) -> None:
    await tell("critical", queue="tasks")
    async with asyncio.timeout(WAIT_SECONDS):
        (call,) = await fake_telegram.wait_for_calls(1, "sendMessage")
        await mailbox[0].arrived.wait()
    assert (call.token, str(call.params["chat_id"])) == (TOKEN, "-1001234567890")
    assert call.params["text"].split("\n")[:3] == [
        "🔴 <b>GrimBotsQueueOld</b>",
        "Um trabalho &lt;espera&gt;",
        "<i>A job waits</i> queue=tasks",
    ]
    letter = mailbox[0].letters[0]
    assert (letter["Subject"], letter["To"]) == ("🔴 GrimBotsQueueOld", "OPERATORS@EXAMPLE.COM")
    assert "Um trabalho <espera>\nA job waits queue=tasks" in letter.get_body().get_content().replace("\r\n", "\n")


@pytest.mark.gen_test
async def test_a_seller_s_matter_arrives_by_mail_alone(
    tell: Callable[..., Any], fake_telegram: Any, mailbox: tuple[Mailbox, int]
) -> None:
    await tell("info")
    async with asyncio.timeout(WAIT_SECONDS):
        await mailbox[0].arrived.wait()
    await tell("warning")
    async with asyncio.timeout(WAIT_SECONDS):
        await fake_telegram.wait_for_calls(1, "sendMessage")
    assert len(fake_telegram.list_calls("sendMessage")) == 1
