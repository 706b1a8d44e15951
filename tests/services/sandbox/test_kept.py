"""What the sandbox keeps of the past: the last calls and parcels; what still waits is not past."""

from __future__ import annotations

import pytest

from grimbots.services.sandbox import calls, parcels
from grimbots.tests.services.sandbox.drivers import Driver, Webhook, has_pending, wait_until


@pytest.mark.gen_test
async def test_only_the_last_calls_are_kept(sandbox: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "KEPT_CALLS", 3)
    await sandbox.say()
    for number in range(5):
        await sandbox.send(str(number))
    kept = calls.list_after(sandbox.server.sandbox, 0)
    assert [call["params"]["text"] for call in kept] == ["2", "3", "4"]


@pytest.mark.gen_test
async def test_only_the_last_parcels_are_kept_and_all_that_wait(
    served: Driver, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "KEPT_PARCELS", 2)
    for number in range(4):
        await served.say(str(number))
        await webhook.wait(number + 1)
        await wait_until(lambda: has_pending(served, 0))
    assert [parcel["seq"] for parcel in parcels.list_after(served.server.sandbox, 0)] == [3, 4]
    webhook.answers.extend([(503, {"Retry-After": "3600"}, b"")] * 9)
    for number in range(4, 8):
        await served.say(str(number))
    kept = [parcel["seq"] for parcel in parcels.list_after(served.server.sandbox, 0)]
    assert kept == [5, 6, 7, 8], "the third and the fourth went, the fifth waits"
