"""Where Redis is: the forms of REDIS_URL, and how each finds the server that takes a shard's writes now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from redis.crc import key_slot

from grimbots.conf.settings import SettingsError
from grimbots.queue.connections import RedisAway, ask_once

ASK_SECONDS = 0.4  # a sentinel or a node that takes longer is passed over: the next one knows as much
MOST_ASKED = 3  # at one time: whoever asks comes again
MOST_SHARDS = 64


class Address(Protocol):
    """Redis as one REDIS_URL means it. `shards`: how many parts the queue's data has."""

    shards: int

    async def find(self, prefix: str) -> str:
        """Find the plain address (redis://, rediss:// or unix://) of the server that holds `prefix`. Asked anew for
        every connection.

        Raises:
            RedisAway: nobody can say.
        """


def parse_address(url: str) -> Address:
    """Read a REDIS_URL: redis://, rediss://, unix://, redis+sentinel://h1:p1,h2:p2/<master>, redis+cluster://h1:p1,h2:p2.

    `?shards=N` goes with each. rediss+sentinel:// and rediss+cluster:// speak TLS. Name and password before the hosts
    are Redis's own.

    Raises:
        SettingsError: it can mean nothing.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    shards = _read_shards(options.pop("shards", "1"))
    plain, _, form = parts.scheme.partition("+")
    if form == "sentinel":
        return Sentinels(parts._replace(scheme=plain), shards)
    if form == "cluster":
        return Cluster(parts._replace(scheme=plain), shards)
    bare = url.partition("?")[0]
    return Server(f"{bare}?{urlencode(options)}" if options else bare, shards)


def _read_shards(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_SHARDS:
        raise SettingsError(f"REDIS_URL: shards={text} must be a whole number from 1 to {MOST_SHARDS}")
    return int(text)


class Server:
    """One server that never moves."""

    def __init__(self, url: str, shards: int) -> None:
        self._url = url
        self.shards = shards

    async def find(self, prefix: str) -> str:
        """Give the address itself."""
        return self._url


class Sentinels:
    """A master that its sentinels name."""

    def __init__(self, parts: SplitResult, shards: int) -> None:
        self.shards = shards
        self._parts = parts
        self._nodes = _list_nodes(parts)
        self._master = parts.path.strip("/")
        if not self._master:
            raise SettingsError("REDIS_URL: redis+sentinel://host:port,host:port/<name of the master>")

    async def find(self, prefix: str) -> str:
        """Ask one sentinel after the other, another one first each time: one that is cut off keeps an old opinion."""
        for node in _take_turns(self._nodes):
            try:
                found = await ask_once(
                    f"{self._parts.scheme}://{node}", ASK_SECONDS, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master
                )
            except RedisAway:
                continue
            if found:
                host, port = found
                return _make_url(self._parts, _join(host.decode(), int(port)))
        raise RedisAway(f"no sentinel names the master {self._master}")


class Cluster:
    """Masters that share the slots; any node says who has which."""

    def __init__(self, parts: SplitResult, shards: int) -> None:
        self.shards = shards
        self._parts = parts
        self._nodes = _list_nodes(parts)

    async def find(self, prefix: str) -> str:
        """Ask one node after the other, another one first each time."""
        slot = key_slot(prefix.encode())
        for node in _take_turns(self._nodes):
            try:
                ranges = await ask_once(_make_url(self._parts, node), ASK_SECONDS, "CLUSTER", "SLOTS")
            except RedisAway:
                continue
            self._learn(node, ranges)
            for first, last, master, *_ in ranges:
                if first <= slot <= last:
                    return _make_url(self._parts, _read_node(master, node))
        raise RedisAway(f"no node of the cluster says who has slot {slot}")

    def _learn(self, asked: str, ranges: Sequence[Any]) -> None:
        """Remember every node that was named: those of REDIS_URL may all be replaced one day."""
        named = (_read_node(raw, asked) for _, _, *raws in ranges for raw in raws)
        self._nodes = list(dict.fromkeys([*self._nodes, *named]))


def _list_nodes(parts: SplitResult) -> list[str]:
    nodes = [node for node in parts.netloc.rpartition("@")[2].split(",") if node]
    if not nodes:
        raise SettingsError(f"REDIS_URL: {parts.scheme}+...:// needs host:port, several with a comma between")
    return nodes


def _take_turns(nodes: list[str]) -> list[str]:
    """Give the few to ask now, and put the first of them last for the next time."""
    asked = nodes[:MOST_ASKED]
    nodes.append(nodes.pop(0))
    return asked


def _make_url(parts: SplitResult, node: str) -> str:
    """Give the address of one node, with the user, password and database of the whole."""
    user, at, _ = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user}{at}{node}"


def _read_node(raw: Sequence[Any], asked: str) -> str:
    """Read a node of CLUSTER SLOTS; one without a host is the one that was asked."""
    host = raw[0].decode() if raw[0] else asked.rpartition(":")[0].strip("[]")
    return _join(host, raw[1])


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
