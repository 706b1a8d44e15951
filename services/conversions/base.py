"""The contract of whoever is told of conversions: values in, values out. To add one, write one file with one `Network`
in this folder: the commands, the outbox and the contract tests read its attributes.

What is not known is left out, never made up. `build` says what an event is told as, `send` tells some; what an answer
means stands in a table beside it. A repeat has the same event id, by which the network knows it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from grimbots.conf import foreign_json
from grimbots.services.clients.http import Ambiguous, NeverSent

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.services.clients.http import HttpClient, Response

TIMEOUT_SECONDS = 5.0
DIGITS = r"[0-9]{1,20}"
Told = Mapping[str, Any]


class Event(StrEnum):
    """What happens to be reported. The names are Meta's; the others have their own."""

    PAGE_VIEW = "PageView"
    VIEW_CONTENT = "ViewContent"
    INITIATE_CHECKOUT = "InitiateCheckout"
    PURCHASE = "Purchase"
    REFUND = "Refund"
    CHARGEBACK = "Chargeback"


class Verdict(StrEnum):
    """What an answer means. LATER: perhaps they were taken; THROTTLED and the rest: surely not."""

    SENT = "sent"
    LATER = "later"
    THROTTLED = "throttled"
    BAD = "bad"  # one of them is: alone it is refused, else the halves are tried
    DEAD = "dead"  # the credentials: nothing will be taken until a person has looked


@dataclass(frozen=True, slots=True)
class Answer:
    """A network's answer. `said` is for people, and holds nobody's data."""

    verdict: Verdict
    said: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a seller fills in. Texts are in Portuguese; a secret is never shown again."""

    name: str
    label: str
    help: str
    is_secret: bool = True
    is_optional: bool = False
    pattern: str = r"[\x20-\x7e]+"  # a header cannot hold more


@dataclass(frozen=True, slots=True)
class Destination:
    """A seller's own place at a network. `signing_key` is the account's (services/posts.py)."""

    credentials: Mapping[str, str] = field(repr=False)
    test_event_code: str = ""
    signing_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Click:
    """The click behind it, as the browser told it. `url` is our link, without what its query said."""

    at: datetime
    url: str
    address: str = field(repr=False)
    user_agent: str = field(repr=False)
    fbp: str | None = field(default=None, repr=False)
    fbc: str | None = field(default=None, repr=False)
    ttclid: str | None = field(default=None, repr=False)
    gclid: str | None = field(default=None, repr=False)
    utms: Mapping[str, str | None] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is of. `id` is a pseudonym, the same in all events; the rest is what was told to the bot, if it was."""

    id: str
    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)  # E.164: +5511987654321


@dataclass(frozen=True, slots=True)
class Item:
    """One thing sold."""

    id: str
    name: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Sale:
    """What is or was to be paid. `id` is the payment's own, unique everywhere."""

    id: str
    amount_cents: int
    currency: str
    items: tuple[Item, ...]
    asked_at: datetime
    paid_at: datetime | None
    fee_cents: int | None = None  # what the provider keeps of it; None: it has not said


@dataclass(frozen=True, slots=True)
class Conversion:
    """One event. `id` tells it from every other, here and at the network."""

    event: Event
    id: str
    at: datetime
    click: Click | None = None
    person: Person | None = None
    sale: Sale | None = None


class Network(ABC):
    """One kind of destination."""

    name: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    events: ClassVar[frozenset[Event]]  # what it can be told
    url: ClassVar[str]
    keeps: ClassVar[timedelta]  # for so long after it happened it takes an event
    batch_size: ClassVar[int] = 1
    knows_repeats: ClassVar[bool] = True  # by the event's id: after a doubtful answer it is told again
    personal: ClassVar[frozenset[str]] = frozenset()  # parts of what it is told that are somebody's data

    def __init__(self, http: HttpClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self.address = settings.conversion_urls.get(self.name, getattr(type(self), "url", ""))

    def find_obstacle(self, destination: Destination, conversion: Conversion) -> str:
        """Tell why this network can do nothing with the event; "" where it can."""
        return ""

    @abstractmethod
    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say an event in the network's words."""

    @abstractmethod
    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Tell some events, at most `batch_size`. Never raises for what the network answers or does not."""

    def summarize(self, told: Told) -> dict[str, Any]:
        """Give what may be kept and shown of an event: of somebody's data only which there was."""
        return {name: sorted(value) if name in self.personal else value for name, value in told.items()}

    async def post(
        self, url: str, *, json: Any = None, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response | Answer:
        """Post something; an Answer where there was none from the network."""
        try:
            return await self._http.request(
                "POST",
                url,
                party=f"conversions:{self.name}",
                headers=headers,
                json=json,
                body=body,
                timeout_seconds=TIMEOUT_SECONDS,
            )
        except NeverSent as error:
            return Answer(Verdict.THROTTLED, str(error))
        except Ambiguous as error:
            return Answer(Verdict.LATER, str(error))


def read_object(response: Response) -> dict[str, Any]:
    """Return the JSON object a network answered with; an empty one for anything else."""
    return foreign_json.read_object(response.body) or {}


def judge_status(status: int) -> Verdict | None:
    """Say what an HTTP status means where nothing more is told; None: it is to be read on."""
    if status == 429:
        return Verdict.THROTTLED
    return Verdict.LATER if status >= 500 or status == 408 else None


def drop_unknown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def to_units(cents: int) -> float:
    """Write an amount as networks want it: 1990 -> 19.9."""
    return cents / 100
