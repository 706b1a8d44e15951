"""The words of the pages: one table per language, chosen by a cookie or by what the browser asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grimbots.handlers.admin.texts_english import ENGLISH
from grimbots.handlers.admin.texts_portuguese import PORTUGUESE

LANGUAGES: Mapping[str, Mapping[str, str]] = {"pt-BR": PORTUGUESE, "en": ENGLISH}
FIRST = "pt-BR"


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's words."""

    language: str

    def say(self, name: str, **values: object) -> str:
        """Return a text with its values filled in. Raise KeyError for a name no table has: a fault of the program."""
        return LANGUAGES[self.language][name].format(**values)

    def name(self, kind: str, word: str, **values: object) -> str:
        """Return what a word of the program (a state, a flag) is called, or the word itself where it has no other."""
        text = LANGUAGES[self.language].get(f"{kind}.{word}")
        return word if text is None else text.format(**values)


def choose_language(chosen: str, accepted: str) -> str:
    """Return the language that was chosen, else the first of `Accept-Language` that there is, else Portuguese."""
    if chosen in LANGUAGES:
        return chosen
    for tag in accepted.split(","):
        main = tag.partition(";")[0].partition("-")[0].strip().lower()
        for language in LANGUAGES:
            if main == language.partition("-")[0]:
                return language
    return FIRST
