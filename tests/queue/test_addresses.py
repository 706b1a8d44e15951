"""Every form of REDIS_URL: what it is read as, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from grimbots.conf.settings import SettingsError
from grimbots.queue.addresses import parse_address
from grimbots.queue.connections import RedisAway

PREFIX = "{q0}:"


@pytest.mark.parametrize(
    ("url", "plain", "shards"),
    [
        ("redis://:secret@h:6379/0", "redis://:secret@h:6379/0", 1),
        ("rediss://h:6379?shards=4&ssl_cert_reqs=none", "rediss://h:6379?ssl_cert_reqs=none", 4),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0", 1),
        ("unix:///run/redis.sock?shards=2", "unix:///run/redis.sock", 2),
    ],
)
@pytest.mark.gen_test
async def test_a_server_stays_where_it_is(url: str, plain: str, shards: int) -> None:
    address = parse_address(url)
    assert (await address.find(PREFIX), address.shards) == (plain, shards)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://127.0.0.1:1,127.0.0.1:2/m", "redis+cluster://127.0.0.1:1,127.0.0.1:2"]
)
@pytest.mark.gen_test
async def test_says_that_nobody_can_say(url: str) -> None:
    with pytest.raises(RedisAway, match=r"no sentinel|no node"):
        await parse_address(url).find(PREFIX)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?shards=0",
        "redis://h?shards=many",
        "redis://h?shards=65",
        "redis+sentinel://h:26379",
        "redis+sentinel:///master",
        "redis+cluster://",
    ],
)
def test_refuses_what_can_mean_nothing(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        parse_address(url)
