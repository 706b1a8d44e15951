"""Parsers take or refuse whatever they are given, in bounded time and memory. `make fuzz-input` gives them more."""

from __future__ import annotations

import logging

import pytest

from grimbots.tests.fuzz.parsers import PARSERS
from grimbots.tests.fuzz.runs import INPUTS, MOST_GROWTH_BYTES, SEED, SHARES, measure_memory, run_parser


@pytest.mark.parametrize("name", PARSERS)
def test_parser_takes_or_refuses_whatever_comes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging.disable(logging.WARNING)  # a line per unknown refusal of Telegram's
    before = measure_memory()
    try:
        tally = run_parser(name, INPUTS * SHARES[name] // 100, SEED)
    finally:
        logging.disable(logging.NOTSET)
    with capsys.disabled():
        print(f"\nfuzz {name}: {tally}", end="")
    assert measure_memory() - before < MOST_GROWTH_BYTES
    assert min(tally.outcomes["read"], tally.outcomes["refused"]) > 0, "inputs of both kinds are drawn"


def test_every_parser_has_its_share() -> None:
    assert SHARES.keys() == PARSERS.keys()
    assert sum(SHARES.values()) == 100
