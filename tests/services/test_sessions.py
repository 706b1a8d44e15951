"""Sessions: how long they last, how they end, and what they let somebody see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import sessions
from grimbots.services.errors import Forbidden, NotFound
from grimbots.tests.services.people import add_person, get_visitor, log_in, make_member


@pytest.mark.gen_test
async def test_session_ends_when_it_is_not_used(app: Any, accounts: Any, clock: Any) -> None:
    token = await log_in(app, await add_person(app, "ana", accounts[0].name))
    for _ in range(5):
        clock.move(hours=11)
        assert await sessions.find(app, token) is not None
    clock.move(hours=12)
    assert await sessions.find(app, token) is None


@pytest.mark.gen_test
async def test_session_ends_after_seven_days_of_use(app: Any, accounts: Any, clock: Any) -> None:
    token = await log_in(app, await add_person(app, "ana", accounts[0].name))
    for _ in range(27):
        clock.move(hours=6)
        assert await sessions.find(app, token) is not None
    clock.move(hours=6)
    assert await sessions.find(app, token) is None


@pytest.mark.gen_test
async def test_session_is_written_once_a_minute(
    app: Any, accounts: Any, clock: Any, query: Callable[..., list[Any]]
) -> None:
    token = await log_in(app, await add_person(app, "ana", accounts[0].name))
    versions = set()
    for _ in range(4):
        clock.move(seconds=20)
        await sessions.find(app, token)
        versions |= set(query("SELECT xmin::text FROM sessions"))
    assert len(versions) == 2


@pytest.mark.gen_test
async def test_end_leaves_other_sessions(app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    here, there = await log_in(app, email), await log_in(app, email)
    visitor = await sessions.find(app, here)
    assert visitor is not None
    await sessions.end(app, visitor)
    assert await sessions.find(app, here) is None
    assert await sessions.find(app, there) is not None


@pytest.mark.gen_test
async def test_end_all_ends_every_session_of_this_person_only(app: Any, accounts: Any) -> None:
    ana, bia = await add_person(app, "ana", accounts[0].name), await add_person(app, "bia", accounts[0].name)
    tokens, other = [await log_in(app, ana) for _ in range(3)], await log_in(app, bia)
    visitor = await sessions.find(app, tokens[0])
    assert visitor is not None
    await sessions.end_all(app, visitor)
    assert [await sessions.find(app, token) for token in tokens] == [None] * 3
    assert await sessions.find(app, other) is not None


@pytest.mark.gen_test
@pytest.mark.parametrize("token", ["", "x", "é" * 43, "0" * 64])
async def test_find_knows_no_made_up_token(app: Any, accounts: Any, token: str) -> None:
    await log_in(app, await add_person(app, "ana", accounts[0].name))
    assert await sessions.find(app, token) is None


@pytest.mark.gen_test
async def test_find_does_not_take_the_stored_hash(app: Any, accounts: Any, query: Callable[..., list[Any]]) -> None:
    await log_in(app, await add_person(app, "ana", accounts[0].name))
    ((stored,),) = query("SELECT token_hash FROM sessions")
    assert await sessions.find(app, stored) is None


@pytest.mark.gen_test
async def test_rights_are_read_anew(app: Any, accounts: Any, query: Callable[..., list[Any]]) -> None:
    token = await log_in(app, await add_person(app, "ana", accounts[0].name, administrator=True))
    query("UPDATE users SET is_administrator = false")
    query("DELETE FROM memberships")
    visitor = await sessions.find(app, token)
    assert visitor is not None
    assert (visitor.is_administrator, visitor.memberships) == (False, ())


@pytest.mark.gen_test
async def test_member_of_one_account_knows_no_other(app: Any, accounts: Any) -> None:
    visitor = await get_visitor(app, await add_person(app, "ana", accounts[0].name))
    messages = []
    for name in (accounts[1].name, "no-such-account"):
        with pytest.raises(NotFound) as caught:
            visitor.get_member(name)
        messages.append(caught.value.message)
    assert messages[0] == messages[1]


@pytest.mark.gen_test
async def test_administrator_belongs_to_no_account_by_that(app: Any, accounts: Any) -> None:
    visitor = await get_visitor(app, await add_person(app, "root", None, administrator=True))
    visitor.demand_administrator()
    with pytest.raises(NotFound):
        visitor.get_member(accounts[0].name)


@pytest.mark.gen_test
async def test_viewer_may_not_act(app: Any, accounts: Any) -> None:
    with pytest.raises(Forbidden):
        (await make_member(app, accounts[0], "viewer")).demand_act()
    for role in ("owner", "editor", "operator"):
        (await make_member(app, accounts[0], role)).demand_act()
