"""Inputs out of samples: a sample taken apart and put together wrongly, or bytes and signs that parsers trip over."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

NASTY_TEXTS = [
    *("", " ", "\x00", "\ud800", "\udfff", "\u202e", "\ufeff", "é", "😀" * 70, "١٢٣", "²", "−1", "+1", "1e999", "NaN"),
    *("null", "true", "0x10", "0" * 5000, "9" * 5000, "/start", "/start\n", "/start@" + "a" * 99, "v1:a:b:c", ":::"),
    *("%", "%s%n", "{{", "{{first_name|", "${x}", "'; DROP TABLE x; --", "<b>", "</b>", "<", "&amp;", "&#0;", "../"),
    *("\r\nX: y", "__proto__", "a" * 70_000, "(" * 500, "[" * 500, "-" * 300, "=" * 300, "a@" * 300, "000201", "6304"),
]
NASTY_NUMBERS = [0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400, 1.5, -0.0, 1e308, 1e400, -1e400]
NASTY: list[Any] = [None, True, False, [], {}, [[]], {"": {}}, *NASTY_NUMBERS, *NASTY_TEXTS]
DEPTHS = (10, 63, 64, 65, 200, 3000)


def pick_nasty(rng: Random) -> Any:
    """Give a value that somebody's parser once fell over."""
    return copy.deepcopy(rng.choice(NASTY))


def mutate_json(rng: Random, sample: Any) -> Any:
    """Give a copy of a sample with a few of its values changed, doubled, lost, moved or buried deep."""
    value = copy.deepcopy(sample)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        places = list(_list_places(value))
        if not places:
            return pick_nasty(rng)
        holder, key = rng.choice(places)
        _change(rng, holder, key, places)
    return value


def _list_places(value: Any) -> Any:
    todo = [value]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            todo.append(holder[key])


def _change(rng: Random, holder: Any, key: Any, places: list[Any]) -> None:
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1:
            other, name = rng.choice(places)
            held = other[name] if _has(other, name) else None
            holder[key] = copy.deepcopy(held)
        case 2 if isinstance(holder, dict):
            holder[str(pick_nasty(rng))[:100]] = holder.pop(key)
        case 3 if isinstance(holder[key], str):
            holder[key] = mutate_text(rng, holder[key])
        case 4 if isinstance(holder[key], list) and holder[key]:
            holder[key] = (holder[key] * rng.choice((2, 12, 101)))[:500]
        case _:
            holder[key] = pick_nasty(rng)


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def mutate_text(rng: Random, sample: str) -> str:
    """Give a text with pieces cut, doubled, swapped or put in."""
    text = sample
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        first, last = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        piece = rng.choice(("", text[first:last] * 2, text[first:last].swapcase(), str(rng.choice(NASTY_TEXTS))))
        if rng.random() < 0.5 and text:
            last = min(first + 1, len(text))
            piece = chr(rng.choice((rng.randrange(32, 127), rng.randrange(0, 0x500))))
        text = text[:first] + piece + text[last:]
    return text


def mutate_bytes(rng: Random, sample: bytes) -> bytes:
    """Give bytes with some flipped, cut off or put in."""
    body = bytearray(sample)
    for _ in range(rng.choice((0, 0, 1, 3))):
        place = rng.randrange(len(body) + 1)
        match rng.randrange(3):
            case 0 if place < len(body):
                body[place] = rng.randrange(256)
            case 1:
                del body[place:]
            case _:
                body[place:place] = rng.choice(
                    (b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"\\u", b"[" * 70, b"1" * 5000)
                )
    return bytes(body)


def write_json(rng: Random, value: Any) -> bytes:
    """Write a value as JSON, mostly well, now and then deeper than anybody reads."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.02:
        depth = rng.choice(DEPTHS)
        text = rng.choice(('{"a":' * depth + text + "}" * depth, "[" * depth + text + "]" * depth, "[" * depth))
    return mutate_bytes(rng, text.encode(errors="surrogatepass"))
