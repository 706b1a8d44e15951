"""How many connections a webhook gets and how fast: the rules by a clock of the test's own, then the real thing."""

from __future__ import annotations

import math

import pytest

from grimbots.services.sandbox.connections import Connections
from grimbots.tests.services.sandbox.drivers import Driver, Webhook, has_pending, succeed_once, wait_until


class Watch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the instant."""
        return self.now


@pytest.fixture
def watch() -> Watch:
    """Give a standing watch."""
    return Watch()


def make_healthy(watch: Watch, limit: int = 40) -> Connections:
    """Give connections of a webhook that has just taken an update; none is open."""
    connections = Connections(limit, watch)
    assert connections.try_take() == 0
    connections.give_back(is_kept=False, is_success=True)
    return connections


def take_all(connections: Connections) -> int:
    """Take as many as there are at this instant."""
    count = 0
    while connections.try_take() == 0:
        count += 1
    return count


def test_webhook_begins_with_one_connection(watch: Watch) -> None:
    connections = Connections(40, watch)
    assert (connections.try_take(), connections.try_take()) == (0, math.inf)


def test_kept_connection_is_taken_again(watch: Watch) -> None:
    connections = Connections(40, watch)
    for _ in range(5):
        assert connections.try_take() == 0
        connections.give_back(is_kept=True, is_success=False)


def test_lost_connection_is_opened_again_after_two_seconds(watch: Watch) -> None:
    connections = Connections(40, watch)
    connections.try_take()
    connections.give_back(is_kept=False, is_success=False)
    watch.now += 0.5
    assert connections.try_take() == 1.5
    watch.now += 1.5
    assert connections.try_take() == 0


def test_healthy_webhook_opens_ten_per_half_second(watch: Watch) -> None:
    connections = make_healthy(watch)
    assert take_all(connections) == 10
    assert connections.try_take() == 0.5
    watch.now += 0.5
    assert take_all(connections) == 10


def test_healthy_webhook_never_passes_its_limit(watch: Watch) -> None:
    connections = make_healthy(watch, limit=3)
    assert take_all(connections) == 3
    assert connections.try_take() == math.inf


def test_webhook_falls_back_to_one_connection_after_ten_seconds(watch: Watch) -> None:
    connections = make_healthy(watch)
    watch.now += 10.5
    assert take_all(connections) == 1
    connections.give_back(is_kept=True, is_success=True)
    assert take_all(connections) == 11  # the kept one, and ten new ones


def test_idle_connection_is_forgotten(watch: Watch) -> None:
    connections = make_healthy(watch)
    connections.try_take()
    connections.give_back(is_kept=True, is_success=True)
    watch.now += 16
    assert take_all(connections) == 1
    assert connections.try_take() == math.inf


@pytest.mark.gen_test
async def test_first_delivery_goes_alone(served: Driver, webhook: Webhook) -> None:
    webhook.gate.clear()
    for chat in (1, 2, 3):
        await served.say(chat=chat)
    await webhook.wait(1)
    assert await has_pending(served, 3)
    webhook.gate.set()
    await webhook.wait(3)


@pytest.mark.gen_test
async def test_max_connections_bounds_what_is_in_flight(served: Driver, webhook: Webhook) -> None:
    sandbox = served.server.sandbox
    sandbox.store.run("UPDATE bots SET max_connections = 2")
    await succeed_once(served, webhook)
    webhook.gate.clear()
    for chat in range(1, 8):
        await served.say(chat=chat)
    await webhook.wait(3)
    loaded = [row["queue"] for row in sandbox.store.list("SELECT queue FROM parcels WHERE outcome IS NULL")]
    assert len(loaded) == 7
    assert len(sandbox.courier._lanes) == 4  # twice the connections
    webhook.gate.set()
    await webhook.wait(8)
    await wait_until(lambda: has_pending(served, 0))


@pytest.mark.gen_test
async def test_poisoned_queues_hold_back_the_others(served: Driver, webhook: Webhook) -> None:
    served.server.sandbox.store.run("UPDATE bots SET max_connections = 1")
    webhook.answers.extend([(503, {"Retry-After": "3600"}, b"")] * 2)
    for chat in (1, 2, 3):
        await served.say(str(chat), chat=chat)
    await webhook.wait(2)
    await wait_until(lambda: has_pending(served, 3))
    assert [update["message"]["text"] for update in webhook.updates] == ["1", "2"]
    served.server.sandbox.courier.hurry(f"bot:{served.token.split(':')[0]}")
    await webhook.wait(5)
    assert sorted(update["message"]["text"] for update in webhook.updates[2:]) == ["1", "2", "3"]
