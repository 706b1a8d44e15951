"""The second factor: nothing in force before its first code, no code taken twice, nothing readable in the rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots.services import audit, logins, second_factors, totp
from grimbots.services.errors import Conflict, Forbidden, NotFound, TooMany, Unauthorized
from grimbots.services.sessions import NOWHERE, Visitor, find
from grimbots.tests.services.people import PASSWORD, add_person, get_visitor

EMAIL = "ana@example.com"


def make_code(app: Any, secret: str, steps: int = 0) -> str:
    """Give the code an app shows now, or so many steps later."""
    return totp.make_code(secret, int(app.clock().timestamp()) // totp.STEP_SECONDS + steps)


async def set_up(app: Any) -> tuple[Visitor, str, list[str]]:
    """Add somebody whose login asks for codes; a minute passes."""
    visitor = await get_visitor(app, await add_person(app, "ana", administrator=True))
    secret = await second_factors.offer(app, visitor)
    codes = await second_factors.confirm(app, visitor, make_code(app, secret))
    app.clock.move(minutes=1)
    return visitor, secret, codes


async def log_in(app: Any, code: str) -> str:
    """Log in by password and code."""
    entry = await logins.log_in(app, email=EMAIL, password=PASSWORD, origin=NOWHERE)
    assert entry.token == ""
    return await logins.log_in_by_code(app, ticket=entry.ticket, code=code, origin=NOWHERE)


@pytest.mark.gen_test
async def test_nothing_is_in_force_before_the_first_code(app: Any) -> None:
    visitor = await get_visitor(app, await add_person(app, "ana", administrator=True))
    secret = await second_factors.offer(app, visitor)
    assert await second_factors.offer(app, visitor) == secret, "a reload spoils nothing"
    with pytest.raises(Unauthorized):
        await second_factors.confirm(app, visitor, "000000")
    assert not await second_factors.is_on(app, visitor.user_id)
    await second_factors.confirm(app, visitor, make_code(app, secret))
    assert await second_factors.is_on(app, visitor.user_id)
    with pytest.raises(Conflict):
        await second_factors.offer(app, visitor)


@pytest.mark.gen_test
async def test_password_alone_opens_nothing_and_a_code_does(app: Any) -> None:
    visitor, secret, _ = await set_up(app)
    token = await log_in(app, make_code(app, secret))
    found = await find(app, token)
    assert found is not None
    assert found.user_id == visitor.user_id


@pytest.mark.gen_test
async def test_code_is_taken_once_even_side_by_side(app: Any) -> None:
    _, secret, _ = await set_up(app)
    code = make_code(app, secret)
    tries = await asyncio.gather(*(log_in(app, code) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one) is str for one in tries) == [False, False, False, True]
    with pytest.raises(Unauthorized):
        await log_in(app, make_code(app, secret, -1))  # older than the last one taken


@pytest.mark.gen_test
async def test_recovery_code_is_taken_once(app: Any) -> None:
    _, _, codes = await set_up(app)
    assert len(set(codes)) == second_factors.RECOVERY_CODES
    await log_in(app, codes[0].upper().replace("-", " "))
    with pytest.raises(Unauthorized):
        await log_in(app, codes[0])
    await log_in(app, codes[1])


@pytest.mark.gen_test
async def test_codes_are_throttled_and_the_right_one_is_not_looked_at(app: Any) -> None:
    _, secret, _ = await set_up(app)
    for _ in range(logins.CODE_ATTEMPTS):
        with pytest.raises(Unauthorized):
            await log_in(app, "000000")
    with pytest.raises(TooMany):
        await log_in(app, make_code(app, secret))
    app.clock.move(minutes=15)
    await log_in(app, make_code(app, secret))


@pytest.mark.gen_test
async def test_ticket_lasts_five_minutes_and_is_no_other_secret(app: Any) -> None:
    _, secret, _ = await set_up(app)
    entry = await logins.log_in(app, email=EMAIL, password=PASSWORD, origin=NOWHERE)
    for ticket in ("", "v1.x.y", entry.ticket[:-2], app.vault.encrypt("a bot's token"), app.vault.encrypt("x:1:2")):
        with pytest.raises(Forbidden):
            await logins.log_in_by_code(app, ticket=ticket, code=make_code(app, secret), origin=NOWHERE)
    app.clock.move(minutes=6)
    with pytest.raises(Forbidden):
        await logins.log_in_by_code(app, ticket=entry.ticket, code=make_code(app, secret), origin=NOWHERE)


@pytest.mark.gen_test
async def test_rows_show_neither_secret_nor_codes(app: Any, query: Any) -> None:
    _, secret, codes = await set_up(app)
    rows = str([query(f"SELECT * FROM {table}") for table in ("second_factors", "recovery_codes", "audit")])
    for hidden in (secret, *codes, *(code.replace("-", "") for code in codes)):
        assert hidden not in rows


@pytest.mark.gen_test
async def test_turning_off_by_page_and_by_command_is_audited(app: Any) -> None:
    visitor, secret, _ = await set_up(app)
    with pytest.raises(Unauthorized):
        await logins.check_code(app, visitor.user_id, "000000")
    await logins.check_code(app, visitor.user_id, make_code(app, secret))
    await second_factors.turn_off(app, visitor)
    assert (await logins.log_in(app, email=EMAIL, password=PASSWORD, origin=NOWHERE)).token
    await second_factors.forget_by_command(app, EMAIL)
    with pytest.raises(NotFound):
        await second_factors.forget_by_command(app, "nobody@example.com")
    acts = [(act.actor, act.action) for act in (await audit.list_page(app, visitor, None)).acts]
    assert acts[0] == ("command", "second_factor.off")
    assert (f"user:{visitor.user_id}", "second_factor.on") in acts
