"""deploy/nginx and deploy/haproxy, run for real: what both must do alike before the same backend."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from grimbots.tests.deploy.fronts import Backend, Front, run_haproxy, run_nginx, send, wait_until

STRANGER, PROXY = "127.0.0.2", "127.0.0.3"
UPDATE, NOTICE = "/webhook/telegram/key-of-a-bot", "/webhook/payment/sandbox/key-of-a-shop/sub"
PAGES = ["/metrics", "/health", "/admin/queues"]
RUNNERS: dict[str, Callable[..., AbstractContextManager[Front]]] = {"nginx": run_nginx, "haproxy": run_haproxy}
ACCESS_LOGS = {"nginx": "grimbots.log", "haproxy": "haproxy.out"}


@pytest.fixture(params=RUNNERS)
def kind(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: make front")
    return str(request.param)


@pytest.fixture
def front(kind: str, tmp_path: Path, certificate: Path, backend: Backend) -> Iterator[Front]:
    with RUNNERS[kind](tmp_path, certificate, backend.port, trusted=PROXY) as running:
        backend.seen.clear()
        yield running


def test_speaks_http2_by_tls(front: Front) -> None:
    url = f"https://127.0.0.1:{front.port}/live"
    shown = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    command = ["curl", "-s", "--cacert", str(front.certificate), *shown, url]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "2 200"


def test_keeps_connections_on_both_sides(front: Front, backend: Backend) -> None:
    connection = front.connect()
    assert [send(connection, "POST", UPDATE, b"{}").status for _ in range(20)] == [200] * 20
    assert {headers["Connection"] for _, _, headers, _ in backend.seen} <= {None, "keep-alive"}
    connection.close()


@pytest.mark.parametrize(("method", "path"), [("POST", UPDATE), ("POST", NOTICE), ("GET", "/go/promo?fbclid=1")])
def test_hands_a_dead_process_request_to_another(front: Front, backend: Backend, method: str, path: str) -> None:
    backend.deaths = 3
    answer = front.ask(method, path, b"body" if method == "POST" else None)
    assert (answer.status, backend.list_paths()) == (200, [path] * 4)
    assert {body for *_, body in backend.seen} == {b"body" if method == "POST" else b""}


@pytest.mark.parametrize("path", ["/admin/queues/requeue", "/login", "/sales/shop/messages/1/resend"])
def test_never_sends_a_persons_post_twice(front: Front, backend: Backend, path: str) -> None:
    assert front.ask("GET", "/live").status == 200  # so that a kept connection is there: those get a second chance
    backend.deaths = 1
    assert front.ask("POST", path, b"form").status == 502
    assert backend.list_paths().count(path) == 1


@pytest.mark.parametrize("path", [UPDATE, NOTICE, "/go/promo"])
def test_says_try_again_where_every_process_dies(front: Front, backend: Backend, path: str) -> None:
    backend.deaths = 100
    answer = front.ask("POST" if path != "/go/promo" else "GET", path, b"{}" if path != "/go/promo" else None)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def test_leaves_the_applications_own_503_as_it_is(front: Front, backend: Backend) -> None:
    assert front.ask("POST", f"{UPDATE}/busy", b"{}").body == "ok"
    assert len(backend.seen) == 1


def test_keeps_keys_and_queries_out_of_the_access_log(front: Front, kind: str) -> None:
    front.ask("POST", f"{UPDATE}?q=1", b"{}")
    front.ask("POST", NOTICE, b"{}")
    front.ask("POST", "//webhook/./telegram/%6bey-of-a-bot", b"{}")
    front.ask("GET", "/go/promo?fbclid=secret")
    wait_until(lambda: "/go/promo" in front.read(ACCESS_LOGS[kind]), "the log line")
    written = front.read(ACCESS_LOGS[kind])
    assert "/webhook/telegram/***" in written
    assert "/webhook/payment/sandbox/***" in written
    for hidden in ("key-of", "%6bey", "secret", "q=1"):
        assert hidden not in written


def test_failures_of_webhooks_keep_keys_out_of_every_log(
    front: Front, kind: str, backend: Backend, tmp_path: Path
) -> None:
    backend.deaths = 100
    assert front.ask("POST", UPDATE, b"{}").status == 503
    wait_until(lambda: "/webhook/telegram/***" in front.read(ACCESS_LOGS[kind]), "the log line")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and b"key-of-a-bot" in path.read_bytes()] == []


@pytest.mark.parametrize("path", [*PAGES, "//admin/queues", "/%61dmin/queues", "/x/../metrics"])
def test_fences_operators_pages(front: Front, backend: Backend, path: str) -> None:
    strange = front.ask("GET", path, source=STRANGER)
    # HAProxy hands on what is oddly spelled, as it came: the application knows no such page.
    assert strange.status == 403 or (backend.list_paths() == [path] and path not in PAGES)
    forged = front.ask("GET", path, source=STRANGER, X_Forwarded_For="127.0.0.1")
    assert forged.status == strange.status
    assert front.ask("GET", path).status == 200


def test_sandbox_is_not_served(front: Front, backend: Backend) -> None:
    assert {front.ask("GET", path).status for path in ("/sandbox", "/sandbox/api/pay", "/login/link/x")} == {404}
    assert backend.seen == []


def test_believes_trusted_proxies_only(front: Front, backend: Backend) -> None:
    front.ask("GET", "/go/promo", X_Forwarded_For="203.0.113.9", source=STRANGER)
    front.ask("GET", "/go/promo", X_Forwarded_For="6.6.6.6, 203.0.113.9", source=PROXY)
    told = [headers["X-Forwarded-For"] for _, _, headers, _ in backend.seen]
    assert told == [STRANGER, "203.0.113.9"]


def test_limits_bodies(front: Front, backend: Backend) -> None:
    large = b"x" * (129 * 1024)  # the application's own answer to it is 413, on a connection that lives
    assert front.ask("POST", UPDATE, large).status == 200
    assert backend.seen[-1][-1] == large
    assert front.ask("POST", "/login", b"", Content_Length=str(1024 * 1024 + 1)).status == 413
    assert len(backend.seen) == 1


def test_limits_logins_but_never_webhooks_and_clicks(front: Front) -> None:
    logins = [front.ask("POST", "/login", b"{}").status for _ in range(30)]
    assert (logins[:10], logins[-1]) == ([200] * 10, 429)
    assert front.ask("GET", "/login").status == 200
    for method, path in (("POST", UPDATE), ("GET", "/go/promo")):
        connection = front.connect()
        assert {send(connection, method, path, b"{}").status for _ in range(400)} == {200}
        connection.close()


def test_plain_http_redirects_people_and_refuses_webhooks(front: Front, backend: Backend) -> None:
    assert front.ask_plain("GET", "/sales").headers["Location"].startswith("https://")
    assert front.ask_plain("POST", UPDATE).status == 403
    assert backend.seen == []


def test_nginx_writes_json_lines(tmp_path: Path, certificate: Path, backend: Backend) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: make front")
    with run_nginx(tmp_path, certificate, backend.port) as front:
        front.ask("GET", '/go/"quoted%0aline')
        wait_until(lambda: front.read("grimbots.log"), "the log line")
        (line,) = front.read("grimbots.log").splitlines()
    assert (json.loads(line)["uri"], json.loads(line)["status"]) == ('/go/"quoted\nline', 200)
