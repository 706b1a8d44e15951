"""The contract of a payment provider: values in, values out, integer cents, aware UTC instants.

A provider's "no" is a value (`Refusal`). Exceptions are for what is not known: `NeverSent` and `Ambiguous` come from
the HTTP client, `Undecided` from an answer that decides nothing. To add a provider, write one file with one `Gateway`
in this folder: the route, the seller's form and the contract suite read its attributes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from grimbots.conf.foreign_json import read_object

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.services.clients.http import HttpClient, Response

Credentials = Mapping[str, str]


class Undecided(Exception):
    """The provider answered, but with 429, 5xx or something unreadable: ask again later, with the same key."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a seller fills in to connect the provider. Texts are in Portuguese; a secret is never shown again."""

    name: str
    label: str
    help: str
    is_secret: bool = True


@dataclass(frozen=True, slots=True)
class Payer:
    """What the buyer told of himself, if anything: never invented, never taken from elsewhere."""

    name: str | None = field(default=None, repr=False)
    tax_id: str | None = field(default=None, repr=False)  # CPF, 11 digits, or CNPJ, 14
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)  # E.164: +5511987654321


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """What we ask for. `idempotency_key` (32 hex characters) was stored first: the same key gives the same charge."""

    idempotency_key: str
    amount_cents: int
    description: str
    expires_in_seconds: int
    notification_url: str
    payer: Payer = Payer()
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # when the payment's row was written


@dataclass(frozen=True, slots=True)
class Charge:
    """What the provider made: `code` is the PIX copy and paste, byte for byte; all ids it knows the charge by.

    `expires_at` is when we stop waiting, as was asked, even where the provider takes money for longer; sooner if it
    does not. In a Snapshot of what is paid, `code` may be "": some show it no more.
    """

    txid: str
    provider_id: str
    code: str = field(repr=False)
    amount_cents: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's "no". `reason` is for the seller: never shown to a buyer, and without personal data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in for a charge. `end_to_end_id` is unique per transfer (the provider's own without PIX)."""

    end_to_end_id: str
    amount_cents: int
    at: datetime
    fee_cents: int | None = None  # what the provider keeps of it; None: it does not say


class ReturnKind(StrEnum):
    """Why money goes back. DISPUTE: it is held until somebody decides (MED, chargeback opened)."""

    REFUND = "refund"
    DISPUTE = "dispute"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True)
class Return:
    """Money of one receipt that goes back. `id` is the provider's, of a refund of ours the one `refund` gave.

    `is_settled` once the money has left; `is_void` once it stays: a refund that failed, a dispute the seller won.
    """

    id: str
    end_to_end_id: str
    amount_cents: int
    at: datetime
    kind: ReturnKind
    is_settled: bool
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A charge as the provider sees it now. Whether it is paid is what `receipts` say, not its record's status."""

    charge: Charge
    receipts: tuple[Receipt, ...]
    returns: tuple[Return, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund the provider took on; `is_settled` once the money has left."""

    id: str
    amount_cents: int
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook as it came. `headers` have lower-case names; `suffix` is what followed the key in the path."""

    suffix: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hint:
    """What an event speaks of. Money moves by it only when the event was verified and names the receipt."""

    txid: str | None
    provider_id: str | None
    receipt: Receipt | None
    returned: Return | None = None
    end_to_end_id: str | None = None  # the transfer it speaks of, where it names no charge: of a return or a dispute


class Verdict(StrEnum):
    """Is an event the provider's? REQUERY: it cannot be told from the event alone."""

    YES = "yes"
    NO = "no"
    REQUERY = "requery"


class Gateway(ABC):
    """One provider. Each call names the seller's own credentials, and reaches nothing but what they reach.

    Calls raise NeverSent, Ambiguous (services/clients/http.py) and Undecided. The attributes from `signs_events` on say
    what the provider can do: the contract suite holds a gateway to them, docs/gateways.md shows them.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    kept_headers: ClassVar[tuple[str, ...]] = ()  # lower-case names of the headers its events are verified by
    secret_headers: ClassVar[tuple[str, ...]] = ()  # as well, but a secret each: verified by and then forgotten
    is_of_bot: ClassVar[bool] = False  # a bot is paid by itself: nobody connects it, its token is all the credentials
    needs: ClassVar[frozenset[str]] = frozenset()  # what of a Payer it makes no charge without
    url: str = ""  # where its API begins, https, without a / at its end; GRIMBOTS_GATEWAY_URLS overrides it
    timeout_seconds: float = 10.0  # of each call
    answer_within_seconds: ClassVar[float] = 10.0  # how long it waits for our answer to an event, by its documents
    least_cents: ClassVar[int] = 1  # under it the provider makes no charge
    signs_events: ClassVar[bool] = True  # False: nothing in an event proves it, so each is asked about
    repeats_create: ClassVar[bool] = True  # create with a known key gives the known charge; False: another one
    can_find: ClassVar[bool] = True  # by our own key; False: `find` raises Undecided
    can_refund: ClassVar[bool] = True  # False: `refund` is a Refusal that tells the seller where to do it
    can_refund_parts: ClassVar[bool] = True
    can_list: ClassVar[bool] = True  # False: `list` is a Refusal
    wants_register: ClassVar[bool] = False  # True: `register` tells it where to post events, not each charge

    def __init__(self, http: HttpClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self.url = settings.gateway_urls.get(self.name, type(self).url)

    @classmethod
    def is_offered(cls, settings: Settings) -> bool:
        """Tell whether this installation offers the provider at all."""
        return True

    @classmethod
    def prepare(cls, credentials: Credentials, now: datetime) -> Credentials:
        """Return what a seller filled in as it is to be kept.

        Raises:
            Invalid: something in it can be of no use; in words for the seller.
        """
        return credentials

    async def register(self, credentials: Credentials, notification_url: str) -> Refusal | None:
        """Tell the provider where to post events, where it is not told with each charge; None: it knows.

        It may know one address only, so that of another system of the seller's is forgotten.
        """
        return None

    @abstractmethod
    async def test(self, credentials: Credentials) -> Refusal | None:
        """Ask the provider whether it takes these credentials; None: it does. Nothing is charged."""

    @abstractmethod
    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a charge, or return the one made with this idempotency key before."""

    @abstractmethod
    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return a charge by the ids `create` gave."""

    @abstractmethod
    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Return the charge made with this key; None when there surely is none."""

    @abstractmethod
    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Give money of one receipt back, once per idempotency key."""

    @abstractmethod
    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Return every charge created or paid from `since` until before `until`."""

    @abstractmethod
    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Tell whether the provider sent this event, in constant time, without asking anybody and without raising."""

    @abstractmethod
    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Return what the event speaks of; () for what is unreadable or of no interest. Never raises."""


def read_answer(response: Response) -> dict[str, Any]:
    """Return the JSON object a provider answered with.

    Raises:
        Undecided: it was busy, broken, or answered something else.
    """
    value = read_object(response.body)
    if response.status == 429 or response.status >= 500 or value is None:
        raise Undecided(f"the provider answered {response.status}" + ("" if value is not None else " without JSON"))
    return value
