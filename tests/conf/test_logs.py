"""Logs: one JSON line, and nothing in it that could open a door or name a person."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from grimbots.conf.logs import JsonFormatter, scrub

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"
PIX = (
    "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000"
    "5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
)


@pytest.mark.parametrize(
    "secret",
    [TOKEN, PIX, "maria.silva@example.com.br", "123.456.789-09", "+5511999998888", "hunter2secret"],
)
def test_scrub_strikes_out(secret: str) -> None:
    text = f"failed for {secret}: x" if secret != "hunter2secret" else f"postgresql://root:{secret}@db/x"
    assert secret not in scrub(text)


def test_scrub_hides_the_key_of_a_webhook_path() -> None:
    assert scrub("POST /webhook/telegram/AbC_123-x") == "POST /webhook/telegram/<key>"
    assert scrub("POST /webhook/payment/sandbox/AbC_123-x/pix") == "POST /webhook/payment/sandbox/<key>/pix"


def test_scrub_leaves_ordinary_words() -> None:
    assert (
        scrub("job u:12:1234567 of chat 55119999 done in 12:30:59")
        == "job u:12:1234567 of chat 55119999 done in 12:30:59"
    )


def test_format_writes_one_scrubbed_json_line_with_traceback() -> None:
    try:
        raise ValueError(f"bad {TOKEN}\nnext line")
    except ValueError:
        record = logging.LogRecord("grimbots.x", logging.ERROR, "f", 1, "went %s", (TOKEN,), sys.exc_info())
    record.bot_id = 7
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert TOKEN not in line
    assert json.loads(line)["bot_id"] == 7
    assert "ValueError" in json.loads(line)["traceback"]
