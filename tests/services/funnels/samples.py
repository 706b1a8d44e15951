"""A small whole funnel and the ways tests change it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from grimbots.services.funnels.definitions import Version, read_version
from grimbots.services.funnels.events import Charged
from grimbots.services.funnels.walks import Walk

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
FILES = {"welcome.png": PNG}
ASSETS = {"welcome.png": "sha-of-welcome"}
NAMES = {"first_name": "Ana", "last_name": "", "username": "", "start_param": ""}
FUNNEL: dict[str, Any] = {
    "name": "shop",
    "language": "pt-BR",
    "start": "welcome",
    "steps": [
        {
            "id": "welcome",
            "kind": "message",
            "text": "Oi, {{first_name|amigo}}!",
            "photo": "welcome.png",
            "buttons": [{"text": "Ver", "next": "offer"}, {"text": "Site", "url": "https://example.com/"}],
        },
        {
            "id": "offer",
            "kind": "offer",
            "product": "Curso",
            "price_cents": 1990,
            "text": "{{product}} por {{price}}",
            "accept": {"text": "Quero por {{price}}", "next": "bump"},
            "decline": {"text": "Agora não", "next": "bye"},
        },
        {
            "id": "bump",
            "kind": "bump",
            "product": "Livro",
            "price_cents": 990,
            "text": "E o {{product}}, por mais {{price}}?",
            "next": "charge",
        },
        {"id": "charge", "kind": "charge", "expires_in_minutes": 30, "next": "delivery"},
        {
            "id": "delivery",
            "kind": "delivery",
            "text": "Seu acesso a {{product}}",
            "link": {"text": "Abrir", "url": "https://example.com/access"},
            "protect_content": True,
            "next": "after",
        },
        {"id": "after", "kind": "message", "text": "Até mais!"},
        {"id": "bye", "kind": "message", "text": "Tudo bem.", "next": "after"},
    ],
}


def make_funnel(**changes: Any) -> dict[str, Any]:
    """Copy the funnel with changed fields of some steps: make_funnel(offer={"price_cents": 0})."""
    funnel = copy.deepcopy(FUNNEL)
    for step in funnel["steps"]:
        step.update(changes.get(step["id"], {}))
    return funnel


def make_version(definition: Any = FUNNEL, version_id: int = 7) -> Version:
    """Read a funnel that has no mistakes."""
    version, findings = read_version(definition, version_id=version_id, assets=ASSETS)
    assert not findings
    return version


def make_walk(**changes: Any) -> Walk:
    """Make the walk of somebody who has just come."""
    return Walk(**{"variables": NAMES, **changes})


def make_charged(payment_id: int = 5, code: str = "00020126", **changes: Any) -> Charged:
    """Make the event that the provider made a charge."""
    return Charged(
        **{
            "payment_id": payment_id,
            "step": "charge",
            "code": code,
            "amount_cents": 2980,
            "expires_at": NOW + timedelta(minutes=30),
            **changes,
        }
    )
