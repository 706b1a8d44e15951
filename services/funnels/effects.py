"""What `advance` asks for. Values; services/effects.py turns them into rows and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from grimbots.services.funnels.walks import Item

NONCE = "{nonce}"
INVITE = "{invite}"
STARS = "XTR"


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to be in a group or channel, for some days or without end (None).

    `group` is Telegram's id of it. `by_request`: its link only asks to be let in. `stay` is said, in place of the
    message that bears it, to somebody who is in already.
    """

    group: int
    by_request: bool
    stay: Mapping[str, Any]
    days: int | None = None
    remind_days: tuple[int, ...] = ()
    grace_days: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """A message to the lead.

    `body` holds the Bot API parameters of `method` without chat_id; texts are rendered Telegram HTML. A file is
    {"asset": "<sha256>"}, perhaps with a "name", or {"qr": "<pix code>"}; callback_data ends in NONCE, which
    services/effects.py fills in; a button whose url is INVITE opens the group it was granted.
    `payment_id`: the charge its text or buttons speak of. `delivery`: it hands over what was paid for, `grant` with it.
    """

    step: str
    method: str
    body: Mapping[str, Any]
    policy: str = "retry"
    payment_id: int | None = None
    delivery: bool = False
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment to open for the newest order of the walk; by a `coupon`, of which there are `uses`, or any number.

    An amount in Stars is a number of them: no cents.
    """

    step: str
    items: tuple[Item, ...]
    amount_cents: int
    expires_in_seconds: int
    description: str
    coupon: str = ""
    uses: int | None = None
    currency: str = "BRL"


@dataclass(frozen=True, slots=True)
class Verify:
    """A question to the provider: the lead says it has paid."""

    payment_id: int


@dataclass(frozen=True, slots=True)
class Wake:
    """A wait that ends at `due_at`: then the lead is woken, if it still stands in that wait."""

    step: str
    number: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Nudge:
    """Something for later, whatever the lead does meanwhile: at `due_at` it is looked at whether it is still wanted."""

    step: str
    what: Literal["reminder", "downsell", "upsell"]
    place: int
    due_at: datetime
    payment_id: int | None
    stage: int


@dataclass(frozen=True, slots=True)
class Notify:
    """A message to the chat where the seller wants a bot's notices; `text` is rendered Telegram HTML."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Post:
    """What the seller's own server is told: `values` are rendered texts."""

    step: str
    url: str
    values: Mapping[str, str]


Effect = Say | Charge | Verify | Wake | Nudge | Notify | Post
