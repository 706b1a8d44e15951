"""Conversion contexts: what is known of an event when it is told, in the words of services/conversions/base.py.

Contact data is what the buyer answered the bot's own questions for an e-mail or a telephone; it is never written down
here, only handed to the network that hashes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.services import domains, leads
from grimbots.services.conversions.base import Click, Conversion, Event, Item, Person, Sale
from grimbots.services.funnels import versions
from grimbots.services.funnels.steps.question import Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grimbots.services.app import App
    from grimbots.sql.database import Row

UTMS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

CONTACTS = ("email", "phone")


async def read(app: App, row: Row) -> Conversion:
    """Make an event of its row (conversions.take)."""
    return Conversion(
        event=Event(row.event),
        id=row.event_key,
        at=row.occurred_at,
        click=_read_click(app, row) if row.clicked_at else None,
        person=await _read_person(app, row) if row.lead_id else None,
        sale=_read_sale(row) if row.payment_id else None,
    )


def _read_click(app: App, row: Row) -> Click:
    return Click(
        at=row.clicked_at,
        url=_locate(app, row.slug),
        address=row.address or "",
        user_agent=row.user_agent or "",
        fbp=row.fbp,
        fbc=row.fbc,
        ttclid=row.ttclid,
        gclid=row.gclid,
        utms={name: getattr(row, name) for name in UTMS},
        parameters=row.parameters or {},
    )


def _locate(app: App, slug: str) -> str:
    """Give a link's address: on a domain of the account's own its slug is `<host>/<word>`."""
    host, _, word = slug.rpartition("/")
    return f"{domains.locate(app, host) if host else app.settings.base_url}/go/{word}"


async def _read_person(app: App, row: Row) -> Person:
    told = await _read_answers(app, row) if row.version_id else {}
    return Person(app.vault.person_id(row.lead_id), row.first_name, told.get("email"), told.get("phone"))


async def _read_answers(app: App, row: Row) -> Mapping[str, str]:
    """Give what the lead answered the questions for an e-mail or a telephone of its funnel."""
    version = await versions.load(app, row.version_id)
    answers = leads.read_answers(app, row)
    asked = [step for step in version.steps.values() if isinstance(step, Question) and step.answer in CONTACTS]
    return {step.answer: answers[step.variable] for step in asked if answers.get(step.variable)}


def _read_sale(row: Row) -> Sale:
    return Sale(
        id=row.idempotency_key,
        amount_cents=row.paid_cents or row.amount_cents,
        currency=row.currency,
        items=tuple(Item(str(item["offer"]), str(item["name"]), int(item["price_cents"])) for item in row.items),
        asked_at=row.asked_at,
        paid_at=row.paid_at,
        fee_cents=row.fee_cents,
    )
