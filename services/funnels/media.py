"""Media a seller gives: which kinds there are, what Telegram takes as each, and what a file is by its first bytes.

Source: Bot API 10.3, "Sending files" and the send methods (core.telegram.org/bots/api). Where Telegram says MB the
smaller reading is taken. A file's name says nothing here: Telegram, too, looks at the content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MAX_FILE_BYTES, MAX_PHOTO_BYTES = 50_000_000, 10_000_000
MAX_PHOTO_SIDES, MAX_PHOTO_RATIO = 10_000, 20  # width and height together; the longer side by the shorter
ADDRESS = "https://"
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to show a file: its method, the content types it takes (None: any) and what a seller calls those.

    `has_caption`: a text can stand with it in one message; `by_address`: Telegram fetches it from one.
    """

    method: str
    types: frozenset[str] | None
    formats: str
    max_bytes: int = MAX_FILE_BYTES
    has_caption: bool = True
    by_address: bool = True


@dataclass(frozen=True, slots=True)
class Medium:
    """A file of a step: `kind` is a key of KINDS, `name` the file's beside the funnel's, or its https address.

    One that `follows` is a message of its own behind all that the step says.
    """

    kind: str
    name: str
    follows: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether Telegram is to fetch it from an address."""
        return self.name.startswith(ADDRESS)


MUSIC = frozenset({"audio/mpeg", "audio/mp4"})
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "photo": Kind("sendPhoto", frozenset({"image/png", "image/jpeg"}), "PNG, JPEG", MAX_PHOTO_BYTES),
        "video": Kind("sendVideo", frozenset({"video/mp4"}), "MP4"),
        "video_note": Kind("sendVideoNote", frozenset({"video/mp4"}), "MP4", has_caption=False, by_address=False),
        "voice": Kind("sendVoice", MUSIC | {"audio/ogg"}, "OGG (Opus), MP3, M4A"),
        "audio": Kind("sendAudio", MUSIC, "MP3, M4A"),
        "document": Kind("sendDocument", None, ""),
        "animation": Kind("sendAnimation", frozenset({"image/gif", "video/mp4"}), "GIF, MP4"),
    }
)
NAMED_KINDS = frozenset({"audio", "document"})  # their reader sees the file's name
ALBUM_METHOD = "sendMediaGroup"
ALBUM_LEAST, ALBUM_MOST = 2, 10
ALBUM_FAMILIES = (frozenset({"photo", "video"}), frozenset({"document"}), frozenset({"audio"}))

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"ID3": "audio/mpeg",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
}
# The brand of an ISO base media file (ISO/IEC 14496-12); every other brand is taken for MP4.
BRANDS = {
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"avif": "image/avif",
}


def sniff(head: bytes) -> str:
    """Tell a content type by a file's first bytes; UNKNOWN_TYPE for what is none of those that matter here."""
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"OggS"):
        return "audio/ogg" if b"OpusHead" in head[:128] else "application/ogg"
    if head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xf3", b"\xf2", b"\xfa"):  # MPEG layer III without a tag
        return "audio/mpeg"
    return next((found for signature, found in SIGNATURES.items() if head.startswith(signature)), UNKNOWN_TYPE)


def read_sides(head: bytes) -> tuple[int, int] | None:
    """Read a PNG's or JPEG's width and height; None where its beginning does not tell them."""
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    return _read_jpeg_sides(head) if head.startswith(b"\xff\xd8") else None


def _read_jpeg_sides(head: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header: SOF0 to SOF15, but for the tables among them (ITU-T T.81, B.1.1.3)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        if 0xC0 <= head[at + 1] <= 0xCF and head[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None


def is_misshapen(sides: tuple[int, int]) -> bool:
    """Tell whether Telegram refuses a photo of this width and height."""
    short, long = sorted(sides)
    return short < 1 or short + long > MAX_PHOTO_SIDES or long > short * MAX_PHOTO_RATIO
