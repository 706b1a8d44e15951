"""nginx and HAProxy as shipped, on loopback ports; and a backend that notes what reaches it and dies when told."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from grimbots.tests.ports import pick_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "127.0.0.1"
DEADLINE_SECONDS = 30.0
STOP_SECONDS = 60.0  # supervisord gives a process 45 s to end

# What a main nginx.conf of a distribution holds, for one server in a folder; without `user` its workers are who we are
# (root's workers would be `nobody`, who may not read a test's folder).
MAIN = """\
{user}
worker_processes 2;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include grimbots.conf;
}}
"""


def wait_until(condition: Callable[[], Any], what: str = "it", seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition that others bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        signal.sigtimedwait([], 0.01)


def render(file: Path, changes: Mapping[str, str]) -> str:
    """Give a shipped file with this test's paths and ports; what they replace must stand in it."""
    text = file.read_text(encoding="utf-8")
    for shipped, ours in changes.items():
        assert shipped in text, f"{file} has no {shipped!r}"
        text = text.replace(shipped, ours)
    return text


def make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody signed but itself: certificate.pem and key.pem; give the first."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=bots.example.com", "-addext", f"subjectAltName=IP:{HOST},DNS:bots.example.com"]
    form = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *form, *names, *files], check=True, capture_output=True)
    (folder / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    return certificate


@contextmanager
def run_server(
    command: Sequence[str | Path], log: Path, is_up: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a server running that ends with us, whatever happens to us."""
    with log.open("ab") as output:
        dressed = ["setpriv", "--pdeathsig", "TERM", "--", *command]
        process = subprocess.Popen(dressed, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until(lambda: is_up() or process.poll() is not None, f"the start of {command[0]}")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def accepts(port: int) -> bool:
    """Tell whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), DEADLINE_SECONDS).close()
    except OSError:
        return False
    return True


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Front:
    """A running front: where it listens, whom it shows its certificate to, what it wrote."""

    folder: Path
    port: int
    plain_port: int
    certificate: Path

    def connect(self, source: str = HOST) -> http.client.HTTPSConnection:
        """Open a TLS connection from an address of this machine (all of 127.0.0.0/8 is ours)."""
        trusting = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection(
            HOST, self.port, timeout=DEADLINE_SECONDS, source_address=(source, 0), context=trusting
        )

    def ask(self, method: str, path: str, body: bytes | None = None, source: str = HOST, **headers: str) -> Answer:
        """Send one request over a connection of its own."""
        connection = self.connect(source)
        try:
            return send(
                connection, method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
        finally:
            connection.close()

    def ask_plain(self, method: str, path: str) -> Answer:
        """Send one request without TLS."""
        connection = http.client.HTTPConnection(HOST, self.plain_port, timeout=DEADLINE_SECONDS)
        try:
            return send(connection, method, path)
        finally:
            connection.close()

    def read(self, name: str) -> str:
        """Give what it wrote into a log of its folder."""
        return (self.folder / name).read_text()


def send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request and read its answer."""
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read().decode())  # type: ignore[arg-type]


@contextmanager
def run_nginx(folder: Path, certificate: Path, backend_port: int, trusted: str = "") -> Iterator[Front]:
    """Run nginx on the shipped configuration with this test's ports and paths; `trusted` is a proxy it believes."""
    port, plain_port = pick_port(), pick_port()
    configuration = render(
        DEPLOY / "nginx" / "grimbots.conf",
        {
            "listen 80;": f"listen {HOST}:{plain_port};",
            "listen [::]:80;": f"listen {HOST}:{pick_port()};",
            "listen 443 ssl": f"listen {HOST}:{port} ssl",
            "listen [::]:443 ssl": f"listen {HOST}:{pick_port()} ssl",
            "/etc/letsencrypt/live/bots.example.com/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/bots.example.com/privkey.pem": str(certificate.with_name("key.pem")),
            "/var/log/nginx": str(folder),
            "127.0.0.1:8080": f"{HOST}:{backend_port}",
        },
    )
    (folder / "grimbots.conf").write_text(configuration)
    shutil.copytree(DEPLOY / "nginx" / "grimbots", folder / "grimbots")
    if trusted:
        believed = {"#set_real_ip_from 173.245.48.0/20;": f"set_real_ip_from {trusted};"}
        (folder / "grimbots" / "real_ip.conf").write_text(
            render(DEPLOY / "nginx" / "grimbots" / "real_ip.conf", believed)
        )
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log", "-g", "daemon off;"]
    with run_server(command, folder / "nginx.out", lambda: accepts(port)):
        yield Front(folder, port, plain_port, certificate)


@contextmanager
def run_haproxy(folder: Path, certificate: Path, backend_port: int, trusted: str = "") -> Iterator[Front]:
    """Run HAProxy on the shipped configuration with this test's ports and paths; its log goes to haproxy.out."""
    port, plain_port = pick_port(), pick_port()
    changes = {
        "bind :80": f"bind {HOST}:{plain_port}",
        "bind :443": f"bind {HOST}:{port}",
        "/etc/haproxy/certs/bots.example.com.pem": str(certificate.with_name("both.pem")),
        "/dev/log local0": "stdout format raw local0",
        "maxconn 20000": "maxconn 500",  # two descriptors each: more than a test's machine may allow
        "127.0.0.1:8080": f"{HOST}:{backend_port}",
    }
    configuration = render(
        DEPLOY / "haproxy" / "haproxy.cfg", changes | ({"192.0.2.1\n": f"{trusted}\n"} if trusted else {})
    )
    (folder / "haproxy.cfg").write_text(configuration)
    front = Front(folder, port, plain_port, certificate)
    command = ["haproxy", "-db", "-f", folder / "haproxy.cfg"]
    with run_server(command, folder / "haproxy.out", lambda: accepts(port) and front.ask("GET", "/live").status == 200):
        yield front


@dataclass
class Backend:
    """Stands where GrimBots stands: remembers requests, and dies with so many of them in its hands."""

    port: int = 0
    deaths: int = 0
    seen: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)

    def list_paths(self) -> list[str]:
        """List the paths that arrived, those that nobody answered too."""
        return [path for _, path, _, _ in self.seen]


@contextmanager
def run_backend() -> Iterator[Backend]:
    """Run a Backend."""
    backend = Backend()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # one packet an answer: two would wait for each other's acknowledgement

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # a front ended with a kept connection
                super().handle()

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/ready" or "X-Forwarded-For" in self.headers:  # HAProxy's own questions are no requests
                backend.seen.append((self.command, self.path, self.headers, body))  # type: ignore[arg-type]
                if backend.deaths:
                    backend.deaths -= 1
                    self.close_connection = True
                    return
            self.send_response(503 if self.path.endswith("/busy") else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        backend.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield backend
        server.shutdown()
        thread.join()
