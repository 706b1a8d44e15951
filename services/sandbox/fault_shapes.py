"""Fault: what goes wrong with one call or one post; and what a fault may say at each place it strikes (PLACES)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grimbots.services.errors import Invalid
from grimbots.services.sandbox.refusals import Refusal

DESCRIPTIONS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict: terminated by other setWebhook",
    500: "Internal Server Error: restart",
    502: "Bad Gateway",
}
LONGEST_DELAY_SECONDS, MOST_COPIES = 86_400, 20
SIGNATURES = ("right", "wrong", "missing", "old")
NUMBER = (int, float)

# What a fault may say: whom it strikes, how often, and what then happens.
PICKS: dict[str, tuple[type, ...]] = {"bot": (str,), "method": (str,), "chat_id": (int,), "txid": (str,)}
ODDS: dict[str, tuple[type, ...]] = {"times": (int,), "chance": NUMBER}
ACTS: dict[str, tuple[type, ...]] = {
    "http": (int,),
    "description": (str,),
    "retry_after": (int,),
    "drop": (bool,),
    "execute": (bool,),
    "delay_seconds": NUMBER,
    "copies": (int,),
    "signature": (str,),
    "says": (dict,),
}
EFFECTS = {"http", "drop", "delay_seconds", "copies", "signature", "says"}
ANSWERING = ("http", "description", "retry_after", "drop", "execute", "delay_seconds")
PLACES: dict[str, tuple[str, ...]] = {
    "calls": ("bot", "method", "chat_id", *ANSWERING),
    "updates": ("bot", "method", "chat_id", "copies", "delay_seconds"),
    "provider": ("method", "txid", *ANSWERING),
    "events": ("txid", "copies", "delay_seconds", "signature", "says"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call or one post.

    A call: `delay_seconds` passes, then it is answered `http`, or the connection drops; `execute` lets it take effect
    all the same, before the delay. A post: it leaves `delay_seconds` later, `copies` times (0: never); an event is
    signed as `signature` says and claims what `says` holds in place of the truth.
    """

    id: int = 0
    http: int = 0
    description: str = ""
    retry_after: int = 0
    drop: bool = False
    execute: bool = False
    delay_seconds: float = 0
    copies: int = 1
    signature: str = "right"
    says: dict[str, Any] = field(default_factory=dict)

    @property
    def lets_run(self) -> bool:
        """Tell whether the call takes effect."""
        return self.execute or not (self.http or self.drop)

    @property
    def seconds_before(self) -> float:
        """How long the call waits before it runs."""
        return 0 if self.execute else self.delay_seconds

    @property
    def seconds_after(self) -> float:
        """How long its answer waits."""
        return self.delay_seconds if self.execute else 0

    @property
    def refusal(self) -> Refusal:
        """The answer of a fault with a status."""
        retry_after = self.retry_after or (1 if self.http == 429 else 0)
        usual = f"Too Many Requests: retry after {retry_after}" if self.http == 429 else DESCRIPTIONS.get(self.http)
        description = self.description or usual or f"Error {self.http}"
        return Refusal(self.http, description, **({"retry_after": retry_after} if retry_after else {}))


NO_FAULT = Fault()


def check_acts(wish: Mapping[str, Any]) -> None:
    """Check the values of what is to happen.

    Raises:
        Invalid
    """
    for name, kinds in (PICKS | ODDS | ACTS).items():
        if name in wish and (not isinstance(wish[name], kinds) or (isinstance(wish[name], bool) and bool not in kinds)):
            raise Invalid(f"{name!r} must be {' or '.join(kind.__name__ for kind in kinds)}.")
    if not 0 <= wish.get("delay_seconds", 0) <= LONGEST_DELAY_SECONDS:
        raise Invalid(f"'delay_seconds' must be from 0 to {LONGEST_DELAY_SECONDS}.")
    if not 0 <= wish.get("copies", 1) <= MOST_COPIES:
        raise Invalid(f"'copies' must be from 0 to {MOST_COPIES}.")
    if wish.get("signature", "right") not in SIGNATURES:
        raise Invalid(f"'signature' must be one of {', '.join(SIGNATURES)}.")
    if wish.get("http") and not 400 <= wish["http"] <= 599:
        raise Invalid("'http' must be from 400 to 599.")


def check(place: Any, wish: Mapping[str, Any]) -> None:
    """Check a fault.

    Raises:
        Invalid: an unknown place or name, a wrong type, a number out of range, or nothing to do.
    """
    if place not in PLACES:
        raise Invalid(f"'on' must be one of {', '.join(PLACES)}.")
    known = (*PLACES[place], *ODDS)
    for name in wish:
        if name not in known:
            raise Invalid(f"A fault on {place} has no {name!r}; it may have {', '.join(known)}.")
    check_acts(wish)
    if wish.get("times", 1) < 1 or not 0 < wish.get("chance", 1) <= 1:
        raise Invalid("'times' must be 1 or more, and 'chance' over 0 and at most 1.")
    if not wish.keys() & EFFECTS:
        raise Invalid(f"A fault on {place} needs something to do: {', '.join(sorted(EFFECTS & {*known}))}.")
