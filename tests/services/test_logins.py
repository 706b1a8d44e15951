"""Logging in: who may, how often somebody may try, and what those who may not learn from it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from grimbots.services import logins, sessions
from grimbots.services.errors import Forbidden, NotFound, TooMany, Unauthorized
from grimbots.services.passwords import MOST_WAITING, Passwords
from grimbots.tests.services.people import PASSWORD, add_person, log_in


@pytest.fixture
def sandbox(app: Any) -> Any:
    """Give the App as the sandbox has it."""
    return replace(app, settings=replace(app.settings, sandbox=True))


async def fail(app: Any, email: str, times: int = 1, **more: Any) -> None:
    """Try a wrong password so often."""
    for _ in range(times):
        with pytest.raises(Unauthorized):
            await log_in(app, email, "wrong wrong wrong", **more)


@pytest.mark.gen_test
async def test_log_in_opens_a_session(app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name, "editor")
    visitor = await sessions.find(app, await log_in(app, email.upper() + " "))
    assert visitor is not None
    assert (visitor.email, visitor.is_administrator) == (email, False)
    assert [(member.account, member.role) for member in visitor.memberships] == [(accounts[0].name, "editor")]


@pytest.mark.gen_test
async def test_log_in_refuses_stranger_and_mistake_alike(app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    said = []
    for tried in (email, "nobody@example.com", "", "' OR 1=1 --"):
        with pytest.raises(Unauthorized) as caught:
            await log_in(app, tried, "wrong wrong wrong")
        said.append(caught.value.message)
    assert len(set(said)) == 1


class Noting(PasswordHasher):
    """Notes what each comparison costs: the parameters of the hash it was made with."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.costs: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        """Note, then compare."""
        self.costs.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


@pytest.mark.gen_test
async def test_log_in_costs_as_much_for_a_stranger(app: Any, accounts: Any) -> None:
    """The comparison is nearly all of the time an answer takes."""
    hasher = Noting()
    app = replace(app, passwords=Passwords(hasher))
    await fail(app, await add_person(app, "ana", accounts[0].name))
    await fail(app, "nobody@example.com")
    known, strange = hasher.costs
    assert known == strange


@pytest.mark.gen_test
async def test_log_in_is_throttled_by_email_from_wherever(app: Any, accounts: Any, clock: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    for place in range(logins.EMAIL_ATTEMPTS):
        await fail(app, email, address=f"203.0.113.{place}")
    clock.move(minutes=5)
    with pytest.raises(TooMany) as caught:
        await log_in(app, email, address="198.51.100.1")
    assert caught.value.retry_after_seconds == 600
    clock.move(seconds=600)
    await log_in(app, email, address="198.51.100.1")


@pytest.mark.gen_test
async def test_log_in_is_throttled_by_address_whoever_is_tried(
    app: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "ADDRESS_ATTEMPTS", 3)
    for number in range(3):
        await fail(app, f"nobody{number}@example.com")
    with pytest.raises(TooMany):
        await log_in(app, "nobody9@example.com")
    await fail(app, "nobody9@example.com", address="198.51.100.1")


@pytest.mark.gen_test
async def test_log_in_counts_an_ipv6_customer_once(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "ADDRESS_ATTEMPTS", 2)
    await fail(app, "a@example.com", address="2001:db8:1:2::1")
    await fail(app, "b@example.com", address="2001:db8:1:2:ffff::9")
    with pytest.raises(TooMany):
        await log_in(app, "c@example.com", address="2001:db8:1:2::3")
    await fail(app, "c@example.com", address="2001:db8:1:3::1")


@pytest.mark.gen_test
async def test_log_in_forgives_who_found_the_password(app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    for _ in range(3):
        await fail(app, email, logins.EMAIL_ATTEMPTS - 1)
        await log_in(app, email)


@pytest.mark.gen_test
async def test_log_in_side_by_side_gets_no_more_tries(app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    tries = [log_in(app, email, "wrong wrong wrong") for _ in range(logins.EMAIL_ATTEMPTS + 6)]
    outcomes = [type(outcome) for outcome in await asyncio.gather(*tries, return_exceptions=True)]
    assert (outcomes.count(Unauthorized), outcomes.count(TooMany)) == (logins.EMAIL_ATTEMPTS, 6)


@pytest.mark.gen_test
async def test_compare_refuses_a_crowd() -> None:
    go = threading.Event()

    class SlowHasher(PasswordHasher):
        def verify(self, *pair: Any) -> Literal[True]:
            assert go.wait(30)
            return super().verify(*pair)

    passwords = Passwords(SlowHasher(1, 8, 1))
    crowd = [asyncio.create_task(passwords.matches("x", None)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)  # each has begun to wait
    for _ in range(5):
        with pytest.raises(TooMany):
            await passwords.matches("x", None)
    go.set()
    assert not any(await asyncio.gather(*crowd))


@pytest.mark.gen_test
async def test_rows_hold_no_secret(app: Any, accounts: Any, query: Callable[..., list[Any]]) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    token = await log_in(app, email)
    await fail(app, "my password typed as an e-mail")
    rows = str([query(f"SELECT * FROM {table}") for table in ("sessions", "login_attempts", "audit")])
    for secret in (token, PASSWORD, "my password", "203.0.113"):
        assert secret not in rows


@pytest.mark.gen_test
async def test_link_logs_in_once(sandbox: Any, accounts: Any) -> None:
    link = await logins.make_link(sandbox, await add_person(sandbox, "ana", accounts[0].name))
    assert await sessions.find(sandbox, await logins.log_in_by_link(sandbox, link)) is not None
    with pytest.raises(Unauthorized):
        await logins.log_in_by_link(sandbox, link)


@pytest.mark.gen_test
async def test_link_is_void_after_ten_minutes(sandbox: Any, accounts: Any, clock: Any) -> None:
    link = await logins.make_link(sandbox, await add_person(sandbox, "ana", accounts[0].name))
    clock.move(minutes=10)
    with pytest.raises(Unauthorized):
        await logins.log_in_by_link(sandbox, link)


@pytest.mark.gen_test
async def test_link_replaces_the_one_before(sandbox: Any, accounts: Any) -> None:
    email = await add_person(sandbox, "ana", accounts[0].name)
    before, after = await logins.make_link(sandbox, email), await logins.make_link(sandbox, email)
    with pytest.raises(Unauthorized):
        await logins.log_in_by_link(sandbox, before)
    await logins.log_in_by_link(sandbox, after)


@pytest.mark.gen_test
async def test_link_exists_in_the_sandbox_only(app: Any, sandbox: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    with pytest.raises(Forbidden):
        await logins.make_link(app, email)
    with pytest.raises(Forbidden):
        await logins.log_in_by_link(app, await logins.make_link(sandbox, email))
    with pytest.raises(NotFound, match="user add nobody"):
        await logins.make_link(sandbox, "nobody@example.com")


@pytest.mark.gen_test
async def test_forget_old_drops_what_is_over_and_keeps_the_rest(
    app: Any, accounts: Any, clock: Any, query: Callable[..., list[Any]]
) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    await log_in(app, email)
    clock.move(days=7)
    kept = await log_in(app, email)
    await logins.forget_old(app)
    assert query("SELECT count(*) FROM sessions") == [(1,)]
    assert query("SELECT count(*) FROM login_attempts") == [(1,)]
    assert await sessions.find(app, kept) is not None
