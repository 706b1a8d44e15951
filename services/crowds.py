"""Crowds: how many people the bots heard of lately, over all processes, without a row or an index touched for each.

A chat sets one of 131,072 bits by its hash; how many are set tells how many chats there were (linear counting, within
1 % up to 100,000: Whang et al., ACM TODS 15, 1990). The bits of several processes put together count nobody twice.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from math import log

BITS = 1 << 17
WINDOW_SECONDS = 300  # they begin at the same instants in every process


class Crowd:
    """Whom this process heard of in this window and the one before."""

    def __init__(self) -> None:
        self._window = 0
        self._heard, self._heard_before = bytearray(BITS // 8), bytearray(BITS // 8)

    def note(self, bot_id: int, chat_id: int, now: datetime) -> None:
        """A chat of a bot was heard of."""
        self._turn(now)
        place = zlib.crc32(f"{bot_id}:{chat_id}".encode()) % BITS
        self._heard[place >> 3] |= 1 << (place & 7)

    def pack(self, now: datetime) -> bytes:
        """Give the bits of both windows, to be put together with other processes'."""
        self._turn(now)
        return zlib.compress(_to_bytes(_to_bits(self._heard) | _to_bits(self._heard_before)), level=1)

    def _turn(self, now: datetime) -> None:
        window = int(now.timestamp()) // WINDOW_SECONDS
        if window == self._window:
            return
        self._heard_before = self._heard if window == self._window + 1 else bytearray(BITS // 8)
        self._heard, self._window = bytearray(BITS // 8), window


def count(packed: Iterable[bytes]) -> int:
    """Estimate how many chats set the bits of these processes."""
    bits = 0
    for one in packed:
        bits |= _to_bits(zlib.decompress(one))
    empty = max(1, BITS - bits.bit_count())
    return round(-BITS * log(empty / BITS))


def _to_bits(heard: bytes | bytearray) -> int:
    return int.from_bytes(heard, "little")


def _to_bytes(bits: int) -> bytes:
    return bits.to_bytes(BITS // 8, "little")
