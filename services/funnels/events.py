"""What can happen to a lead: the only things `advance` is told.

Values, made by updates.handle and the payment tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Started:
    """The lead sent /start; `param` is what stood behind it (a deep link's token), "" without one."""

    param: str = ""


@dataclass(frozen=True, slots=True)
class Wrote:
    """The lead sent a text that is no /start."""

    text: str


@dataclass(frozen=True, slots=True)
class Tapped:
    """The lead pressed `button` of a message that `step` said.

    `nonce` names the message, `payment_id` the charge it speaks of.
    """

    step: str
    button: str
    nonce: str
    payment_id: int | None = None


@dataclass(frozen=True, slots=True)
class TappedOld:
    """The lead pressed a button that the system before this one showed; `name` is the version's for it."""

    name: str


@dataclass(frozen=True, slots=True)
class Charged:
    """The provider made the charge: `code` is the PIX copy-and-paste code, byte for byte; `expires_at` is aware UTC."""

    payment_id: int
    step: str
    code: str
    amount_cents: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ChargeFailed:
    """The provider refused the charge, or could not be asked in time; or it was not, for the sale is `paused` or its
    `coupon` used up.
    """

    payment_id: int
    step: str
    paused: bool = False
    coupon: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """The payment was settled (this happens once per payment)."""

    payment_id: int
    step: str


@dataclass(frozen=True, slots=True)
class PaymentPending:
    """The lead asked, and the provider has no payment yet."""

    payment_id: int
    step: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The charge can no longer be paid."""

    payment_id: int
    step: str


@dataclass(frozen=True, slots=True)
class AccessNews:
    """Something has become of a right that the delivery `step` gave for a payment (services/subscriptions.py).

    ending: it ends in `left_seconds`; grace: it has, and the lead is put out in `left_seconds`; ended: it is over;
    again: the link that was shown is worth nothing any more. `group` is the group's title.
    """

    payment_id: int
    step: str
    word: Literal["ending", "grace", "ended", "again"]
    group: str
    left_seconds: float = 0


@dataclass(frozen=True, slots=True)
class MoneyNews:
    """Something has become of money that was paid (services/returns.py): `amount_cents` of it.

    returned: it was given back, and the access stays; refunded: so it was, and nothing is left; disputed, charged_back:
    the buyer's bank holds it, or took it back; restored: what was disputed is not any more.
    """

    payment_id: int
    step: str
    word: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Woke:
    """The time came that the lead waited for at `step`; `number` says which of its waits that was."""

    step: str
    number: int


@dataclass(frozen=True, slots=True)
class Nudged:
    """The time came of what `step` has at `place` of its reminders, downsells or upsells (nudges.py).

    `stage` is the lead's when that was planned; `obstacle` what is against it and no walk shows: the lead has `blocked`
    the bot, the payment is not `paid` any more.
    """

    step: str
    what: Literal["reminder", "downsell", "upsell"]
    place: int
    payment_id: int | None = None
    stage: int = 0
    obstacle: Literal["", "blocked", "returned"] = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A person took the chat over until then; None: he gave it back."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Returned:
    """The lead let a bot in again that it had blocked."""


PaymentEvent = Charged | ChargeFailed | Paid | PaymentPending | Expired | AccessNews | MoneyNews
StepEvent = Tapped | Wrote | Woke | Nudged | PaymentEvent
Event = Started | Held | Returned | TappedOld | StepEvent
