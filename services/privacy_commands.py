"""What Telegram brings of /privacidade and its sisters: the commands and the button under /excluir, read. Pure.

What follows from them is services/privacy_requests.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.app import App

COMMAND = re.compile(r"/([a-z]{1,16})(?:@\w+)?(?:\s.*)?", re.DOTALL | re.IGNORECASE)
PROOF = re.compile(r"erase:(\d{1,18}):(\d{1,12}):([A-Za-z0-9_-]{12})")
VALID = timedelta(days=1)  # for so long the button under /excluir may be pressed


class Kind(Enum):
    """What is asked for."""

    PRIVACY = "privacy"
    DATA = "data"
    ERASURE = "erasure"
    SUPPORT = "support"


WORDS = {
    "privacidade": Kind.PRIVACY,
    "privacy": Kind.PRIVACY,
    "meusdados": Kind.DATA,
    "mydata": Kind.DATA,
    "excluir": Kind.ERASURE,
    "delete": Kind.ERASURE,
    "paysupport": Kind.SUPPORT,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One of the commands came."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The button under /excluir was pressed. All of it is the client's word: see `is_proven`."""

    lead_id: int
    asked_at: int
    proof: str

    def is_proven(self, app: App, lead_id: int) -> bool:
        """Tell whether this very lead was asked, and not too long ago."""
        age = app.clock() - datetime.fromtimestamp(self.asked_at, UTC)
        is_own = self.lead_id == lead_id and self.proof == app.vault.erasure_proof(lead_id, self.asked_at)
        return is_own and age <= VALID


def read_command(text: str) -> Asked | None:
    """Read one of the commands; None for every other text."""
    text = text.strip()
    found = COMMAND.fullmatch(text) if text.startswith("/") else None
    kind = WORDS.get(found[1].lower()) if found else None
    return Asked(kind) if kind else None


def read_button(data: str) -> Confirmed | None:
    """Read what the button under /excluir sends; None for every other button."""
    found = PROOF.fullmatch(data)
    return Confirmed(int(found[1]), int(found[2]), found[3]) if found else None
