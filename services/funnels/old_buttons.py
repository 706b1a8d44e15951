"""Buttons of messages that the system before this one sent: a funnel that moved in says what each does now.

Their callback_data names places in a list, and prices; the prices are never looked at. Pure and total. Formats: what
the original GRIMBOTS wrote between November 2025 and July 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_text

if TYPE_CHECKING:
    from grimbots.services.funnels.definitions import Version

FIELD = "old_buttons"
OTHER, VERIFY = "other", "verify"  # any old button that has no entry of its own; "I have paid" for an old charge
MOST, LONGEST = 5000, 120
SILENT = frozenset({"button_pressed", "support"})
WHOLE = r"(\d{1,12})"


@dataclass(frozen=True, slots=True)
class OldButton:
    """What an old button does: puts what the steps of `takes` sell in a new basket, if there are any, and goes `to`."""

    to: str
    takes: tuple[str, ...] = ()


def list_names(data: str, chat_id: int) -> tuple[str, ...]:
    """Give the names a funnel may have for an old button, best first; none for what is no old button, or did nothing.

    A button that carries a chat is that chat's alone.
    """
    if data in SILENT:
        return ()
    for form, name in FORMS:
        if found := form.fullmatch(data):
            named = name(*found.groups(default=""))
            return () if named is None or named.chat_id not in ("", str(chat_id)) else (*named.names, OTHER)
    return ()


@dataclass(frozen=True, slots=True)
class _Named:
    names: tuple[str, ...] = ()
    chat_id: str = ""


def _name_offer(kind: str, place: str, *rest: str) -> _Named:
    """Name an offer: its place and that of the product it was made for. Behind the kind: place, cents, button; older:
    place, button, cents, button.
    """
    button = rest[0] if rest[2] else rest[1]
    return _Named((f"{kind}_{place}_{button}", f"{kind}_{place}"))


def _name_flow(rest: str) -> _Named:
    """Name a flow's button. Step ids hold underscores, too, so what begins with step_ may be a prefix or a name."""
    names = []
    for text in (rest, rest.removeprefix("step_")):
        step, _, place = text.rpartition("_")
        names.append(f"flow_{step.removesuffix('_btn')}_{place}")
    return _Named(tuple(dict.fromkeys(reversed(names) if "_btn_" in rest else names)))


FORMS: tuple[tuple[re.Pattern[str], Callable[..., _Named]], ...] = (
    (re.compile(rf"((?:buy|bump_yes|bump_no)_{WHOLE})", re.ASCII), lambda name, _: _Named((name,))),
    (
        re.compile(rf"(multi_bump_(?:yes|no))_{WHOLE}_{WHOLE}_-?\d{{1,12}}", re.ASCII),
        lambda kind, chat, place: _Named((f"{kind}_{place}",), chat),
    ),
    (re.compile(r"verify_[\w-]{1,100}", re.ASCII), lambda: _Named((VERIFY,))),
    (
        re.compile(rf"(downsell_bump_(?:yes|no)_{WHOLE})_-?\d{{1,12}}", re.ASCII),
        lambda name, _: _Named((name,)),
    ),
    (
        re.compile(rf"dwnsl_{WHOLE}_{WHOLE}_-?\d{{1,12}}", re.ASCII),
        lambda place, button: _Named((f"downsell_{place}_{button}", f"downsell_{place}")),
    ),
    (re.compile(rf"(downsell|upsell)_{WHOLE}_{WHOLE}_{WHOLE}(?:_{WHOLE})?", re.ASCII), _name_offer),
    (re.compile(r"rmkt?_\w{1,60}", re.ASCII), _Named),
    (re.compile(r"flow_([\w-]{1,59}_\d{1,4})", re.ASCII), _name_flow),
)


def read_old_buttons(raw: Any, findings: list[Finding]) -> dict[str, OldButton]:
    """Read the field `old_buttons` of a definition."""
    if not isinstance(raw, dict) or len(raw) > MOST:
        findings.append(Finding(FIELD, "not_object"))
        return {}
    buttons: dict[str, OldButton] = {}
    for name, one in raw.items():
        try:
            buttons[name] = _read_one(one)
        except Wrong as wrong:
            findings.append(Finding(join_place(FIELD, name[:LONGEST], wrong.place), wrong.code, wrong.facts))
    return buttons


def _read_one(raw: Any) -> OldButton:
    if not isinstance(raw, dict):
        raise Wrong("not_object")
    if unknown := [name for name in raw if name not in ("to", "takes")]:
        raise Wrong("unknown_field", unknown[0])
    if "to" not in raw:
        raise Wrong("missing", "to")
    if not isinstance(raw.get("takes", []), list):
        raise Wrong("not_list", "takes")
    return OldButton(read_text(raw["to"]), tuple(read_text(name) for name in raw.get("takes", ())))


def check_old_buttons(version: Version) -> Iterator[Finding]:
    """Find old buttons that lead nowhere, or take what no step sells."""
    for name, button in version.old_buttons.items():
        place = join_place(FIELD, name)
        if button.to not in version.steps:
            yield Finding(join_place(place, "to"), "unknown_target", {"target": button.to})
        for step in button.takes:
            if step not in version.steps or version.steps[step].sells() is None:
                yield Finding(join_place(place, "takes"), "unknown_offer", {"offer": step})


def list_entries(buttons: Mapping[str, OldButton], *, sold: bool) -> list[str]:
    """Give the steps that old buttons lead to, with something in the basket or with nothing."""
    return [button.to for button in buttons.values() if bool(button.takes) is sold]
