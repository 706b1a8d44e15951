"""Descriptions of providers as data: the files of `described/`, read and checked (docs/gateways/described.md).

A file that is wrong stops the start: `read` names every mistake in it, with its place and what would be right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from grimbots.conf.settings import SettingsError
from grimbots.services.gateways.base import Field
from grimbots.services.gateways.replies import Paths
from grimbots.services.gateways.tables import Table

PAYER = ("name", "tax_id", "email", "phone")
ASKED = frozenset(
    {"amount", "amount_text", "description", "expires_in_days", "expires_in_seconds", "key", "notification_url"}
    | {f"payer.{name}" for name in (*PAYER, "phone_digits", "tax_id_formatted", "tax_id_kind", "tax_id_kind_upper")}
)
KNOWN_BY = frozenset({"id", "txid"})
MOST_CENTS = 100_000_000


class DescriptionError(SettingsError):
    """A description is wrong; a line for each mistake."""


class Status(StrEnum):
    """What a provider's word for a charge means."""

    WAITING = "waiting"
    PAID = "paid"
    OVER = "over"  # refused, expired or cancelled: nothing came in
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    CHARGED_BACK = "charged_back"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as templates. `body` is None where nothing is sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    is_form: bool


@dataclass(frozen=True, slots=True)
class Login:
    """The call that gives the token, and where that and its life stand in the reply."""

    call: Call
    token: Paths
    expires_in_seconds: Paths


@dataclass(frozen=True, slots=True)
class Authentication:
    """What every call bears. `basic` is `user:password`, before it is encoded."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    basic: str
    login: Login | None


@dataclass(frozen=True, slots=True)
class Reply:
    """Where in a reply what stands. A provider's own words for a no stand nowhere: they may name the payer."""

    id: Paths
    txid: Paths
    code: Paths
    status: Paths
    amount: Paths
    expires_at: Paths
    paid_at: Paths
    returned_amount: Paths


@dataclass(frozen=True, slots=True)
class Verification:
    """How strangers are told: `requery` (not at all), `token` (a header that is a secret) or `hmac` (a signature)."""

    kind: str
    header: str
    secret: str
    digest: str
    encoding: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where in an event what stands. `txid` is our own key, or another id of the provider's."""

    is_form: bool
    id: Paths
    txid: Paths
    status: Paths
    verification: Verification
    answer_within_seconds: int


@dataclass(frozen=True, slots=True)
class Description:
    """One provider. `statuses` has the provider's words in small letters."""

    name: str
    label: str
    is_tested: bool
    url: str
    unit: str
    least_cents: int
    most_cents: int
    timeout_seconds: int
    needs: frozenset[str]
    fields: tuple[Field, ...]
    authentication: Authentication
    test: Call | None
    create: Call
    idempotency_header: str
    created: Reply
    fetch: Call
    fetched: Reply
    statuses: Mapping[str, Status]
    webhook: Webhook


def read(path: Path) -> Description:
    """Read the file of one provider, which is named as the file is.

    Raises:
        DescriptionError: it is no TOML, or a key of it is missing, unknown or wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DescriptionError(f"{path.name}: {error}") from error
    mistakes: list[str] = []
    description = _read_description(path.stem, Table(raw, "", mistakes))
    if mistakes:
        raise DescriptionError("\n".join(f"{path.name}: {mistake}" for mistake in mistakes))
    return description


def _read_description(name: str, table: Table) -> Description:
    fields = tuple(_read_field(one) for one in table.tables("fields"))
    credentials = frozenset(f"credentials.{field.name}" for field in fields)
    authentication = _read_authentication(table.table("authentication"), credentials)
    create, fetch = table.table("create"), table.table("fetch")
    description = Description(
        name=name,
        label=table.text("label"),
        is_tested=table.switch("tested", False),
        url=table.text("url", pattern=r"https://[a-z0-9.-]+(/[^\s?#]*[^\s?#/])?", must="must be https://host/path"),
        unit=table.word("unit", ("cents", "reais")),
        least_cents=table.whole("least_cents", 1, 1, MOST_CENTS),
        most_cents=table.whole("most_cents", MOST_CENTS, 1, MOST_CENTS),
        timeout_seconds=table.whole("timeout_seconds", 10, 1, 25),
        needs=_read_needs(table),
        fields=fields,
        authentication=authentication,
        test=_read_call(table.table("test"), "GET", credentials) if "test" in table else None,
        create=_read_call(create, "POST", credentials | ASKED, is_open=True),
        idempotency_header=create.text("idempotency_header", "", pattern=r"[A-Za-z-]+", must="must be a header's name"),
        created=_read_reply(create.table("reply"), needed=("id", "code")),
        fetch=_read_call(fetch, "GET", credentials | KNOWN_BY, is_open=True),
        fetched=_read_reply(fetch.table("reply"), needed=("status", "amount")),
        statuses=_read_statuses(table.table("statuses")),
        webhook=_read_webhook(table.table("webhook"), fields),
    )
    for read_through in (create, fetch, table):
        read_through.close()
    return description


def _read_field(table: Table) -> Field:
    must = "must be small letters and _"
    field = Field(
        name=table.text("name", pattern=r"[a-z_]+", must=must),
        label=table.text("label"),
        help=table.text("help"),
        is_secret=table.switch("secret", True),
    )
    table.close()
    return field


def _read_needs(table: Table) -> frozenset[str]:
    needs = table.words("needs")
    if set(needs) - set(PAYER):
        table.blame("needs", f"may only name {', '.join(PAYER)}")
    return frozenset(needs)


def _read_authentication(table: Table, credentials: frozenset[str]) -> Authentication:
    login = _read_login(table.table("login"), credentials) if "login" in table else None
    known = credentials | ({"token"} if login else set())
    bearer, basic = table.text("bearer", ""), table.text("basic", "")
    table.check_names("bearer", bearer, known)
    table.check_names("basic", basic, known)
    headers = {**table.templates("headers", known), **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    authentication = Authentication(headers, table.templates("query", known), basic, login)
    table.close()
    return authentication


def _read_login(table: Table, credentials: frozenset[str]) -> Login:
    call = _read_call(table, "POST", credentials, is_open=True)
    login = Login(call, table.paths("token", is_needed=True), table.paths("expires_in_seconds"))
    table.close()
    return login


def _read_call(table: Table, method: str, known: frozenset[str], *, is_open: bool = False) -> Call:
    """Read a request; `is_open` where the table holds more than that."""
    path = table.text("path", pattern=r"/[^\s?#]*", must="must begin with / and have no query: that is `query`")
    table.check_names("path", path, known)
    is_form = table.word("encoding", ("json", "form"), "json") == "form"
    call = Call(
        method=table.word("method", ("GET", "POST", "PUT"), method),
        path=path,
        query=table.templates("query", known),
        headers=table.templates("headers", known),
        body=table.templates("body", known) if is_form else table.template("body", known) or None,
        is_form=is_form,
    )
    if not is_open:
        table.close()
    return call


def _read_reply(table: Table, *, needed: tuple[str, ...]) -> Reply:
    reply = Reply(**{name: table.paths(name, is_needed=name in needed) for name in Reply.__slots__})
    table.close()
    return reply


def _read_statuses(table: Table) -> Mapping[str, Status]:
    statuses: dict[str, Status] = {}
    for status in Status:
        for word in table.words(status.value):
            if statuses.setdefault(word.casefold(), status) is not status:
                table.blame(status.value, f"{word!r} stands in {statuses[word.casefold()].value} already")
    if Status.PAID not in statuses.values():
        table.blame("paid", "is missing: no charge would ever be paid")
    table.close()
    return statuses


def _read_webhook(table: Table, fields: tuple[Field, ...]) -> Webhook:
    webhook = Webhook(
        is_form=table.word("body", ("json", "form"), "json") == "form",
        id=table.paths("id"),
        txid=table.paths("txid"),
        status=table.paths("status"),
        verification=_read_verification(table.table("verification", is_needed=False), fields),
        answer_within_seconds=table.whole("answer_within_seconds", 5, 1, 60),
    )
    if not (webhook.id or webhook.txid):
        table.blame("id", "is missing: say where the charge's id or our own key (txid) stands")
    table.close()
    return webhook


def _read_verification(table: Table, fields: tuple[Field, ...]) -> Verification:
    kind = table.word("kind", ("requery", "token", "hmac"), "requery")
    default = "" if kind == "requery" else None
    names = [field.name for field in fields] or [""]
    verification = Verification(
        kind=kind,
        header=table.text("header", default, pattern=r"[A-Za-z-]+", must="must be a header's name").lower(),
        secret=table.word("secret", names, default),
        digest=table.word("digest", ("sha1", "sha256", "sha512"), "sha256"),
        encoding=table.word("encoding", ("hex", "base64"), "hex"),
        prefix=table.text("prefix", ""),
    )
    table.close()
    return verification
