"""Counters at every branch of a Lua script: each condition both ways, each loop and function entered.

A condition is what stands behind `if`, `elseif` or `while`, and each operand on the left of an `and` or an `or`: a
default that is always taken, or never, is a branch as well. Not the B of `A and B or C`: it is there to be true.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

BRANCHES = "branches"
COUNTER = f"""
local marks = {{}}
local function mark(branch) marks[branch] = (marks[branch] or 0) + 1 end
local function test(branch, value) mark(branch .. (value and ' yes' or ' no')) return value end
local function write_marks()
  for branch, times in pairs(marks) do redis.call('HINCRBY', KEYS[1] .. '{BRANCHES}', branch, times) end
end
"""

TOKEN = re.compile(r"--[^\n]*|'[^'\n]*'|\"[^\"\n]*\"|\w+|[<>=~]=|\.+|\S")
CONDITIONS = {"if": "then", "elseif": "then", "while": "do"}
OPENING, CLOSING = frozenset("({["), frozenset(")}]")
BEFORE_AN_OPERAND = {"and", "or", "=", ",", ";", "return", *CONDITIONS}
UNCOUNTED = {"repeat", "goto"}  # no script has one: whoever writes the first teaches them here


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign of a script."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that decides, from its first token up to the one behind it; `word` is what makes it decide."""

    first: int
    behind: int
    word: str


def instrument(part: str, text: str) -> tuple[str, set[str]]:
    """Put a counter at every branch of one part. Returns it and the branches' names."""
    tokens = [Token(found[0], *found.span()) for found in TOKEN.finditer(text) if not found[0].startswith("--")]
    inserted: dict[int, str] = defaultdict(str)
    branches: set[str] = set()

    def name(at: int, what: str) -> str:
        return f"{part}:{text.count(chr(10), 0, at) + 1} {what}"

    for condition in sorted(_find_conditions(tokens), key=lambda one: one.first - one.behind):  # the outer one first
        start, end = tokens[condition.first].start, tokens[condition.behind - 1].end
        called = name(start, f"{' '.join(text[start:end].split())} [{condition.word}]")
        branches |= {f"{called} yes", f"{called} no"}
        inserted[start] += f"test([=[{called}]=], "
        inserted[end] += ")"
    for at, what in _find_entries(tokens):
        called = name(tokens[at].start, what)
        branches.add(called)
        inserted[tokens[at].end] += f" mark('{called}')"
    ends = [0, *sorted(inserted), len(text)]
    pieces = (inserted.get(start, "") + text[start:end] for start, end in pairwise(ends))
    return "".join(pieces), branches


def _find_conditions(tokens: Sequence[Token]) -> Iterator[Condition]:
    for place, token in enumerate(tokens):
        if token.text in UNCOUNTED:
            raise ValueError(f"the branches of {token.text!r} are not counted")
        if token.text in CONDITIONS:
            yield Condition(place + 1, _find(tokens, place, CONDITIONS[token.text]), token.text)
        if token.text in ("and", "or"):
            first = _find_operand(tokens, place)
            if (tokens[first - 1].text, token.text) != ("and", "or"):
                yield Condition(first, place, token.text)


def _find_entries(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    for place, token in enumerate(tokens):
        if token.text == "for":
            yield _find(tokens, place, "do"), "loop"
        elif token.text == "function":
            yield _find(tokens, place, ")"), "call"


def _find(tokens: Sequence[Token], place: int, word: str) -> int:
    return next(at for at in range(place, len(tokens)) if tokens[at].text == word)


def _find_operand(tokens: Sequence[Token], operator: int) -> int:
    """Find where the left operand of an `and` or `or` begins."""
    depth = 0
    for place in range(operator - 1, -1, -1):
        text = tokens[place].text
        if depth == 0 and (text in OPENING or text in BEFORE_AN_OPERAND):
            return place + 1
        depth += (text in CLOSING) - (text in OPENING)
    raise ValueError("an operand has no beginning")
