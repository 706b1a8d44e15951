"""The kinds of field a step may have: how each is read from JSON, and what is checked in it before publishing.

A step class declares `text: str = field(metadata={"rule": Markup()})`; a field with a default may be left out. The
reader (definitions.py), the check (check.py) and an editor's form find the rules there.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grimbots.services.funnels.media import (
    ALBUM_FAMILIES,
    ALBUM_LEAST,
    ALBUM_MOST,
    KINDS,
    MAX_FILE_BYTES,
    Medium,
    is_misshapen,
    read_sides,
    sniff,
)
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_object, read_text
from grimbots.services.funnels.sources import Source, measure, read_head
from grimbots.services.funnels.surveys import Survey, check_markup, is_url
from grimbots.services.funnels.texts import render_plain
from grimbots.services.funnels.times import WEEKDAYS, read_clock

NAME = re.compile(r"\w{1,40}")
TAG = re.compile(r"[\w .-]{1,40}")
MAX_TAGS = 20
FILE_NAME = re.compile(r"[^/\\\x00-\x1f]*")
MAX_BUTTONS = 100  # of one inline keyboard
MAX_PRICE_CENTS = 100_000_000
MAX_MINUTES = 60 * 24 * 30
MAX_GROUP_ID = 2**53


@dataclass(frozen=True, slots=True)
class Button:
    """A button that leads to the step `next`, or opens `url`."""

    text: str
    next: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Rule(ABC):
    """How one field is read and checked."""

    @abstractmethod
    def read(self, raw: Any) -> Any:
        """Turn JSON into the field's value. Raises Wrong."""

    def check(self, value: Any, survey: Survey, step: Any) -> Iterator[Finding]:
        """Give what is wrong with a value that was read; `field` of a finding is the place inside the field."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Plain(Rule):
    """A text that is shown as it is: a product's name, a button's words, a description."""

    def read(self, raw: Any) -> str:
        return read_text(raw)

    def check(self, value: str, survey: Survey, step: Any) -> Iterator[Finding]:
        if value and not render_plain(value, survey.emptiest).strip():
            yield Finding("", "text_empty")


@dataclass(frozen=True, slots=True)
class Markup(Rule):
    """A text in Telegram's HTML: the step's own, or the caption of what it shows."""

    def read(self, raw: Any) -> str:
        return read_text(raw)

    def check(self, value: str, survey: Survey, step: Any) -> Iterator[Finding]:
        if value:
            yield from check_markup(value, survey, step.captions())


@dataclass(frozen=True, slots=True)
class File(Rule):
    """The name of a file that lies beside the funnel's, shown as `kind` (media.py), or the https address of one."""

    kind: str

    def read(self, raw: Any) -> str:
        name = read_text(raw)
        if Medium(self.kind, name).is_elsewhere:
            return name
        if not FILE_NAME.fullmatch(name) or name in (".", ".."):
            raise Wrong("file_name")
        return name

    def check(self, value: str, survey: Survey, step: Any) -> Iterator[Finding]:
        if Medium(self.kind, value).is_elsewhere:
            yield from self._check_address(value)
        elif value and value not in survey.files:
            yield Finding("", "file_missing", {"name": value})
        elif value:
            yield from self._check_content(survey.files[value])

    def _check_address(self, address: str) -> Iterator[Finding]:
        """Look at the address only: what lies there may be another thing tomorrow."""
        if not KINDS[self.kind].by_address:
            yield Finding("", "address_unshown", {"kind": self.kind})
        elif not is_url(address):
            yield Finding("", "bad_url")

    def _check_content(self, source: Source) -> Iterator[Finding]:
        """Look at the content, as Telegram will: the name says nothing."""
        kind, size_bytes, head = KINDS[self.kind], measure(source), read_head(source)
        if size_bytes == 0:
            yield Finding("", "file_empty")
        elif kind.types is not None and sniff(head) not in kind.types:
            yield Finding("", "file_kind", {"formats": kind.formats})
        elif size_bytes > kind.max_bytes:
            yield Finding("", "file_too_big", {"limit": kind.max_bytes // 1_000_000})
        elif self.kind == "photo" and (sides := read_sides(head)) and is_misshapen(sides):
            yield Finding("", "photo_shape", {"width": sides[0], "height": sides[1]})


@dataclass(frozen=True, slots=True)
class Album(Rule):
    """A list of 2 to 10 files, each {"photo": name} and the like: pictures and films mixed, or all of one kind."""

    def read(self, raw: Any) -> tuple[Medium, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if raw and not ALBUM_LEAST <= len(raw) <= ALBUM_MOST:
            raise Wrong("album_size", count=len(raw), least=ALBUM_LEAST, most=ALBUM_MOST)
        return tuple(self._read_one(place, one) for place, one in enumerate(raw))

    def _read_one(self, place: int, raw: Any) -> Medium:
        try:
            item = read_object(raw, frozenset().union(*ALBUM_FAMILIES))
            if len(item) != 1:
                raise Wrong("album_item")
            ((kind, name),) = item.items()
            return Medium(kind, File(kind).read(name))
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", wrong.place), **wrong.facts) from None

    def check(self, value: tuple[Medium, ...], survey: Survey, step: Any) -> Iterator[Finding]:
        kinds = {medium.kind for medium in value}
        if value and not any(kinds <= family for family in ALBUM_FAMILIES):
            yield Finding("", "album_mixed")
        for place, medium in enumerate(value):
            for finding in File(medium.kind).check(medium.name, survey, step):
                yield dataclasses.replace(finding, field=f"[{place}]")
        total = sum(measure(survey.files[name]) for name in {medium.name for medium in value} if name in survey.files)
        if total > MAX_FILE_BYTES:
            yield Finding("", "album_too_big", {"limit": MAX_FILE_BYTES // 1_000_000})


@dataclass(frozen=True, slots=True)
class Target(Rule):
    """The id of another step. Whether it exists is checked over the whole funnel (check.py)."""

    def read(self, raw: Any) -> str:
        return read_text(raw)


@dataclass(frozen=True, slots=True)
class Whole(Rule):
    """A whole number from `least` to `most`; outside it, `code` says so."""

    least: int = 0
    most: int = 0
    code: str = ""

    def read(self, raw: Any) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise Wrong("not_whole")
        if not self.least <= raw <= self.most:
            raise Wrong(self.code, least=self.least, most=self.most)
        return raw


@dataclass(frozen=True, slots=True)
class GroupId(Rule):
    """Telegram's id of a group or channel: a negative number."""

    def read(self, raw: Any) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not -MAX_GROUP_ID < raw < 0:
            raise Wrong("bad_group")
        return raw


@dataclass(frozen=True, slots=True)
class Days(Rule):
    """A list of at most `most_items` numbers of days, from 1 to `most`; read longest first."""

    most: int
    most_items: int

    def read(self, raw: Any) -> tuple[int, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > self.most_items:
            raise Wrong("too_many_days", limit=self.most_items)
        one = Whole(least=1, most=self.most, code="bad_days")
        return tuple(sorted({one.read(item) for item in raw}, reverse=True))


@dataclass(frozen=True, slots=True)
class Switch(Rule):
    """true or false."""

    def read(self, raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise Wrong("not_switch")
        return raw


@dataclass(frozen=True, slots=True)
class OneOf(Rule):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, raw: Any) -> str:
        if read_text(raw) not in self.words:
            raise Wrong("unknown_word", words=", ".join(self.words))
        return str(raw)


@dataclass(frozen=True, slots=True)
class Name(Rule):
    """The name of a variable that a question fills; not one that has its value from elsewhere."""

    reserved: frozenset[str] = frozenset()

    def read(self, raw: Any) -> str:
        if not NAME.fullmatch(read_text(raw)):
            raise Wrong("bad_name")
        if raw in self.reserved:
            raise Wrong("reserved_name", name=raw)
        return str(raw)


@dataclass(frozen=True, slots=True)
class Tags(Rule):
    """A list of tags: words that a lead is marked with."""

    def read(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > MAX_TAGS:
            raise Wrong("too_many_tags", limit=MAX_TAGS)
        for place, tag in enumerate(raw):
            if not isinstance(tag, str) or not TAG.fullmatch(tag):
                raise Wrong("bad_tag", f"[{place}]")
        return tuple(raw)


@dataclass(frozen=True, slots=True)
class Clock(Rule):
    """A time of the day, 08:30."""

    def read(self, raw: Any) -> str:
        try:
            read_clock(read_text(raw))
        except ValueError:
            raise Wrong("bad_clock") from None
        return str(raw)


@dataclass(frozen=True, slots=True)
class Weekdays(Rule):
    """A list of days of the week."""

    def read(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        for place, day in enumerate(raw):
            if day not in WEEKDAYS:
                raise Wrong("unknown_word", f"[{place}]", words=", ".join(WEEKDAYS))
        return tuple(raw)


@dataclass(frozen=True, slots=True)
class Address(Rule):
    """The https address of a server of the seller's."""

    def read(self, raw: Any) -> str:
        return read_text(raw)

    def check(self, value: str, survey: Survey, step: Any) -> Iterator[Finding]:
        if not value.startswith("https://") or not is_url(value):
            yield Finding("", "bad_address")


@dataclass(frozen=True, slots=True)
class Values(Rule):
    """An object of texts under names of the seller's own, filled in like any other text."""

    most: int = 50

    def read(self, raw: Any) -> Mapping[str, str]:
        values = read_object(raw, raw if isinstance(raw, dict) else ())
        if len(values) > self.most:
            raise Wrong("too_many_values", limit=self.most)
        return values


@dataclass(frozen=True, slots=True)
class OneButton(Rule):
    """A button. `actions` are those it may have: a step to lead to (`next`), a link to open (`url`)."""

    actions: tuple[str, ...] = ("next", "url")

    def read(self, raw: Any) -> Button:
        button = Button(**{"text": "", **read_object(raw, {"text", *self.actions})})
        if not button.text.strip():
            raise Wrong("missing", "text")
        if bool(button.next) == bool(button.url):
            raise Wrong("button_without_action") if len(self.actions) > 1 else Wrong("missing", self.actions[0])
        return button

    def check(self, value: Button | None, survey: Survey, step: Any) -> Iterator[Finding]:
        if value is None:
            return
        if not render_plain(value.text, survey.emptiest).strip():
            yield Finding("text", "text_empty")
        if value.url and not is_url(value.url):
            yield Finding("url", "bad_url")


@dataclass(frozen=True, slots=True)
class Buttons(Rule):
    """A list of buttons, one a row."""

    def read(self, raw: Any) -> tuple[Button, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > MAX_BUTTONS:
            raise Wrong("too_many_buttons", count=len(raw), limit=MAX_BUTTONS)
        return tuple(self._read_one(place, one) for place, one in enumerate(raw))

    def _read_one(self, place: int, raw: Any) -> Button:
        try:
            return OneButton().read(raw)
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", wrong.place), **wrong.facts) from None

    def check(self, value: tuple[Button, ...], survey: Survey, step: Any) -> Iterator[Finding]:
        for place, button in enumerate(value):
            for finding in OneButton().check(button, survey, step):
                yield dataclasses.replace(finding, field=join_place(f"[{place}]", finding.field))


@dataclass(frozen=True, slots=True)
class Texts(Rule):
    """An object of texts that take the place of the default ones.

    `captions` and `labels` among `names` are held to their own limits; `silent` are those that may be empty.
    """

    names: frozenset[str] = frozenset()
    captions: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()

    def read(self, raw: Any) -> Mapping[str, str]:
        return read_object(raw, self.names)

    def check(self, value: Mapping[str, str], survey: Survey, step: Any) -> Iterator[Finding]:
        for name, text in value.items():
            if not text and name in self.silent:
                continue
            findings = (
                Plain().check(text, survey, step)
                if name in self.labels
                else check_markup(text, survey, name in self.captions)
            )
            for finding in findings:
                yield dataclasses.replace(finding, field=name)
