"""The counter of the scripts' branches: what it counts, and that what it put in changes nothing."""

from __future__ import annotations

import pytest

from grimbots.tests.queue.fuzz_branches import instrument

SCRIPT = """
local function choose(a, b) -- if not counted then
  if a and b == 'or' then return 1 end
  while a
    or b do a = b end
  for _, one in ipairs({ a, b or 2 }) do one() end
  return a and f(b or 3) or 4
end
"""


def test_names_every_branch() -> None:
    _, branches = instrument("part", SCRIPT)
    assert branches == {
        "part:2 call",
        "part:3 a and b == 'or' [if] yes",
        "part:3 a and b == 'or' [if] no",
        "part:3 a [and] yes",
        "part:3 a [and] no",
        "part:4 a or b [while] yes",
        "part:4 a or b [while] no",
        "part:4 a [or] yes",
        "part:4 a [or] no",
        "part:6 loop",
        "part:6 b [or] yes",
        "part:6 b [or] no",
        "part:7 a [and] yes",
        "part:7 a [and] no",
        "part:7 b [or] yes",
        "part:7 b [or] no",
    }


def test_leaves_the_rest_as_it_is() -> None:
    counted, _ = instrument("part", "if a.b(c) or #d > 0 then e() end")
    assert counted == (
        "if test([=[part:1 a.b(c) or #d > 0 [if]]=], test([=[part:1 a.b(c) [or]]=], a.b(c)) or #d > 0) then e() end"
    )


def test_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ValueError, match="repeat"):
        instrument("part", "repeat f() until a")
