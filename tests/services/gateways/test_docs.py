"""docs/gateways.md: what each provider can do stands there as the code has it, and what it cannot is not hidden."""

from __future__ import annotations

from pathlib import Path

from grimbots.services import brcode
from grimbots.services.gateways.base import Gateway
from grimbots.services.gateways.scan import find_gateways

DOCS = Path(brcode.__file__).parents[1] / "docs" / "gateways.md"
YES = {True: "yes", False: "**no**"}


def describe(kind: type[Gateway]) -> str:
    """Return a gateway's row of the table."""
    refunds = YES[kind.can_refund] + (", in parts" if kind.can_refund and kind.can_refund_parts else "")
    cells = (
        f"`{kind.name}`",
        "signed" if kind.signs_events else "**asked about**",
        f"{kind.answer_within_seconds:g} s",
        YES[kind.repeats_create],
        YES[kind.can_find],
        refunds,
        YES[kind.can_list],
        ", ".join(sorted(kind.needs)) or "nothing",
        "1 Star" if kind.is_of_bot else f"R$ {kind.least_cents // 100},{kind.least_cents % 100:02d}",
    )
    return f"| {' | '.join(cells)} |"


def test_the_table_says_of_each_gateway_what_it_can_do() -> None:
    text = DOCS.read_text(encoding="utf-8")
    missing = [describe(kind) for _, kind in sorted(find_gateways().items()) if describe(kind) not in text]
    assert missing == [], "docs/gateways.md lacks these rows:\n" + "\n".join(missing)
