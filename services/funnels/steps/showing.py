"""The fields of every kind of step that can show something: one file, or an album, and an audio behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.bodies import Shown
from grimbots.services.funnels.fields import Album, File
from grimbots.services.funnels.media import KINDS, Medium
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Scene, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing(Step):
    """A step that may show one of these beside its text."""

    speaks: ClassVar[bool] = True

    photo: str = field(default="", metadata={"rule": File("photo")})
    video: str = field(default="", metadata={"rule": File("video")})
    video_note: str = field(default="", metadata={"rule": File("video_note")})
    voice: str = field(default="", metadata={"rule": File("voice")})
    audio: str = field(default="", metadata={"rule": File("audio")})
    document: str = field(default="", metadata={"rule": File("document")})
    animation: str = field(default="", metadata={"rule": File("animation")})
    album: tuple[Medium, ...] = field(default=(), metadata={"rule": Album()})

    audio_after: str = field(default="", metadata={"rule": File("audio")})

    def has_buttons(self) -> bool:
        """Tell whether what it says bears buttons."""
        return True

    def list_media(self) -> Sequence[Medium]:
        behind = [Medium("audio", self.audio_after, follows=True)] if self.audio_after else []
        return [*self.list_shown(), *behind]

    def list_shown(self) -> Sequence[Medium]:
        """Give the files that its own message shows."""
        single = [Medium(kind, name) for kind in KINDS if (name := getattr(self, kind))]
        return self.album or single

    def captions(self) -> bool:
        """Tell whether its text is a caption; no album bears buttons, so with buttons an album's text follows it."""
        shown = self.list_shown()
        return bool(shown) and KINDS[shown[0].kind].has_caption and not (self.album and self.has_buttons())

    def find_media(self, scene: Scene) -> Sequence[Shown]:
        """Give what it shows as a message's body holds it; nothing where a content was never stored."""
        found = [scene.version.find_media(medium) for medium in self.list_media()]
        return [shown for shown in found if shown is not None] if all(found) else ()

    def check(self) -> Iterator[Finding]:
        shown = [name for name in (*KINDS, "album") if getattr(self, name)]
        if len(shown) > 1:
            yield Finding(shown[1], "two_media", {"first": shown[0]})
