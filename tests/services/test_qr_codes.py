"""What is drawn is read again by a reader, from the picture's pixels."""

from __future__ import annotations

import re
import struct
import zlib

import pytest
import zxingcpp

from grimbots.services import qr_codes

PIX = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-42665544000052040000530398654041.005802BR6304ABCD"


def read_png(picture: bytes) -> tuple[int, bytes]:
    """Return a picture's side and its pixels, a byte each."""
    side, height, depth = struct.unpack_from(">IIB", picture, 16)
    assert (height, depth) == (side, 1)
    (packed,) = struct.unpack_from(">I", picture, 33)
    lines, stride = zlib.decompress(picture[41 : 41 + packed]), 1 + side // 8
    packed_pixels, above = bytearray(), bytes(side // 8)
    for y in range(side):
        kind, line = lines[y * stride], lines[y * stride + 1 : (y + 1) * stride]
        assert kind in (0, 2)  # none, or the difference from the line above (PNG, 9.2)
        above = bytes((here + there) % 256 for here, there in zip(line, above, strict=True)) if kind == 2 else line
        packed_pixels += above
    return side, b"".join(bytes(255 if byte >> bit & 1 else 0 for bit in range(7, -1, -1)) for byte in packed_pixels)


def decode(side: int, pixels: bytes) -> str:
    """Return what a reader sees in pixels."""
    (found,) = zxingcpp.read_barcodes(memoryview(pixels).cast("B", (side, side)))
    return str(found.text)


@pytest.mark.parametrize(
    "text", [PIX, "0", "otpauth://totp/GrimBots:ana%40x.com?secret=GEZDGNBV", "ação & café", "x" * 900]
)
def test_draw_png_is_read_as_its_text(text: str) -> None:
    assert decode(*read_png(qr_codes.draw_png(text))) == text


def test_draw_png_leaves_room_around_the_code() -> None:
    side, pixels = read_png(qr_codes.draw_png("0" * 8))
    assert side == (21 + 2 * 4) * 8
    assert set(pixels[: side * 4 * 8]) == {255}


def test_draw_svg_is_read_as_its_text() -> None:
    drawn = qr_codes.draw_svg(PIX)
    side = int(re.findall(r'viewBox="0 0 (\d+) ', drawn)[0])
    pixels = bytearray(b"\xff" * (side * 4) ** 2)  # four pixels to a module
    for left, top, run in re.findall(r"M(\d+) (\d+)h(\d+)v1", drawn):
        for y in range(int(top) * 4, int(top) * 4 + 4):
            begin = y * side * 4 + int(left) * 4
            pixels[begin : begin + int(run) * 4] = bytes(int(run) * 4)
    assert decode(side * 4, bytes(pixels)) == PIX
