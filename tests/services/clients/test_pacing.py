"""What a process remembers of its calls to Telegram."""

from __future__ import annotations

import asyncio
import gc

import pytest

from grimbots.services.clients.pacing import Floods, Turns


class Watch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_note_blames_the_bot_when_two_chats_flood_within_a_second() -> None:
    watch = Watch()
    floods = Floods(watch)
    assert not floods.note("b1", 1)
    watch.now += 0.9
    assert floods.note("b1", 2)


def test_note_blames_the_chat_that_floods_twice() -> None:
    floods = Floods(Watch())
    assert not floods.note("b1", 1)
    assert not floods.note("b1", 1)


def test_note_blames_the_chats_that_flood_a_second_apart() -> None:
    watch = Watch()
    floods = Floods(watch)
    floods.note("b1", 1)
    watch.now += 1.0
    assert not floods.note("b1", 2)


def test_note_tells_bots_apart() -> None:
    floods = Floods(Watch())
    floods.note("b1", 1)
    assert not floods.note("b2", 2)


@pytest.mark.gen_test
async def test_turns_let_one_in_at_a_time_per_key() -> None:
    turns = Turns()
    async with turns.of("a"):
        waiting = asyncio.create_task(turns.of("a").acquire())
        async with turns.of("b"):
            await asyncio.sleep(0)
            assert not waiting.done()
    assert await waiting


@pytest.mark.gen_test
async def test_turns_forget_a_key_nobody_holds() -> None:
    turns = Turns()
    async with turns.of("a"):
        pass
    gc.collect()
    assert not turns._locks
