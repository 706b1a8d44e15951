"""Access tokens: fetched once however many ask, shared with nobody else, and over a little before their end."""

from __future__ import annotations

import asyncio

import pytest

from grimbots.services.clients.tokens import Token, Tokens


class Party:
    """Gives tokens, one after the other, when it is let; `says` is what it gives or raises in their place."""

    def __init__(self, life_seconds: float = 3600.0) -> None:
        self.asked = 0
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.says: str | Exception | None = None
        self._life_seconds = life_seconds

    async def fetch(self) -> Token | str:
        """Give the next token."""
        self.asked += 1
        number = self.asked
        await self.is_open.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says or Token(f"token {number}", self._life_seconds)


class Time:
    """A clock of seconds that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.gen_test
async def test_a_hundred_at_once_ask_once() -> None:
    tokens, party = Tokens(), Party()
    party.is_open.clear()
    asking = [asyncio.create_task(tokens.get("a", party.fetch)) for _ in range(100)]
    await asyncio.sleep(0)
    party.is_open.set()
    got = await asyncio.gather(*asking)
    assert {id(token) for token in got} == {id(got[0])} and party.asked == 1
    assert await tokens.get("a", party.fetch) is got[0]
    assert party.asked == 1


@pytest.mark.gen_test
async def test_accounts_share_no_token() -> None:
    tokens, party = Tokens(), Party()
    assert await tokens.get("a", party.fetch) != await tokens.get("b", party.fetch)


@pytest.mark.gen_test
async def test_a_failure_is_everybodys_and_the_next_asks_again() -> None:
    tokens, party = Tokens(), Party()
    party.says = ConnectionError("away")
    failed = await asyncio.gather(*(tokens.get("a", party.fetch) for _ in range(9)), return_exceptions=True)
    assert [str(error) for error in failed] == ["away"] * 9 and party.asked == 1
    party.says = None
    assert await tokens.get("a", party.fetch) == Token("token 2", 3600.0)


@pytest.mark.gen_test
async def test_a_refusal_is_kept_for_nobody() -> None:
    tokens, party = Tokens(), Party()
    party.says = "no"
    assert [await tokens.get("a", party.fetch) for _ in range(2)] == ["no", "no"] and party.asked == 2


@pytest.mark.gen_test
async def test_who_waits_gets_it_though_the_first_gave_up() -> None:
    tokens, party = Tokens(), Party()
    party.is_open.clear()
    first, second = [asyncio.create_task(tokens.get("a", party.fetch)) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    party.is_open.set()
    assert await second == Token("token 1", 3600.0) and party.asked == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(("life_seconds", "ends_after"), [(3600.0, 3540.0), (60.0, 54.0)])
async def test_a_life_is_over_a_little_early(life_seconds: float, ends_after: float) -> None:
    time, party = Time(), Party(life_seconds)
    tokens = Tokens(clock=time)
    await tokens.get("a", party.fetch)
    time.now += ends_after - 0.5
    await tokens.get("a", party.fetch)
    assert party.asked == 1
    time.now += 0.5
    await tokens.get("a", party.fetch)
    assert party.asked == 2


@pytest.mark.gen_test
async def test_drop_forgets_that_token_alone() -> None:
    tokens, party = Tokens(), Party()
    old = await tokens.get("a", party.fetch)
    assert isinstance(old, Token)
    tokens.drop("a", old)
    new = await tokens.get("a", party.fetch)
    tokens.drop("a", old)  # who was refused later, but with the same old one
    assert await tokens.get("a", party.fetch) is new and party.asked == 2


@pytest.mark.gen_test
async def test_the_least_recently_used_makes_room() -> None:
    tokens, party = Tokens(most=2), Party()
    for key in ("a", "b", "a", "c", "a", "b"):
        await tokens.get(key, party.fetch)
    assert party.asked == 4  # a, b, c, and b again


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Token("secret", 1.0))
