"""Payers: what a buyer told of himself, out of his own answers to the funnel's questions; never from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.question import Question
from grimbots.services.gateways.base import Payer

if TYPE_CHECKING:
    from grimbots.services.funnels.definitions import Version
    from grimbots.services.funnels.walks import Walk

KINDS = {"cpf": "tax_id", "email": "email", "phone": "phone"}
# A name has no kind of its own: it is a text that a question keeps under one of these.
NAMES = frozenset({"name", "full_name", "nome", "nome_completo"})
WORDS = {"tax_id": "CPF", "email": "e-mail", "phone": "telefone", "name": "nome"}
QUESTIONS = {"tax_id": "cpf", "email": "email", "phone": "phone", "name": "text, variable nome"}


def read(version: Version, walk: Walk) -> Payer:
    """Return what a lead answered of himself. Of two questions for the same, the later one is believed."""
    known = {part: walk.answers[name] for part, name in _list_asked(version) if walk.answers.get(name)}
    if "tax_id" in known:
        known["tax_id"] = re.sub(r"\D", "", known["tax_id"])
    return Payer(**known)


def find_missing(needs: Collection[str], payer: Payer) -> list[str]:
    """Return what a gateway needs and the buyer has not told."""
    return sorted(need for need in needs if not getattr(payer, need))


def describe(missing: Collection[str]) -> str:
    """Say what is missing in a seller's words."""
    return ", ".join(WORDS[part] for part in sorted(missing))


def check(version: Version, needs: Collection[Collection[str]]) -> Iterator[Finding]:
    """Find charges that none of the seller's gateways could make: each of `needs` is what one of them needs."""
    asked = {part for part, _ in _list_asked(version)}
    missing = [set(each) - asked for each in needs]
    if not missing or not all(missing):
        return
    least = min(missing, key=len)
    facts = {"missing": describe(least), "kinds": ", ".join(QUESTIONS[part] for part in sorted(least))}
    for step in version.steps.values():
        if step.charges:
            yield Finding("", "payer_unasked", facts, step.id)


def _list_asked(version: Version) -> Iterator[tuple[str, str]]:
    """Give what each question asks of a payer, and the variable that keeps it."""
    for step in version.steps.values():
        if isinstance(step, Question):
            if step.answer in KINDS:
                yield KINDS[step.answer], step.variable
            elif step.answer == "text" and step.variable in NAMES:
                yield "name", step.variable
