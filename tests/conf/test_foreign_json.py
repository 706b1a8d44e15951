"""JSON from outside: read to a depth that all of ours can walk, whichever Python reads it."""

from __future__ import annotations

import json

import pytest

from grimbots.conf.foreign_json import DEEPEST, read_json


@pytest.mark.parametrize("kind", [str, str.encode])
def test_what_is_nested_as_deep_as_may_be_is_read_and_can_be_written(kind):
    text = "[" * DEEPEST + "]" * DEEPEST
    assert json.dumps(read_json(kind(text))) == text


@pytest.mark.parametrize("kind", [str, str.encode])
@pytest.mark.parametrize(
    "text",
    [
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        '{"a":' * 5000 + "1" + "}" * 5000,  # 3.13 itself would read it
        "[" * 100_000,
        "9" * 5000,
        "{",
        "",
    ],
)
def test_what_nobody_can_use_is_a_value_error(kind, text):
    with pytest.raises(ValueError, match=r"nested too deep|Exceeds the limit|Expecting"):
        read_json(kind(text))


def test_many_brackets_side_by_side_are_no_depth():
    assert read_json(json.dumps([[]] * 1000)) == [[]] * 1000


def test_bytes_that_are_no_text_are_a_value_error():
    with pytest.raises(ValueError, match="utf-8"):
        read_json(b'{"a": "\xff"}')
