"""The chat page and what it loads: one template, its script and style, and the pictures of the chats."""

from __future__ import annotations

from pathlib import Path

from tornado.web import HTTPError

from grimbots.services.sandbox.requests import LocalHandler

HERE = Path(__file__).parent
STATIC = {path.name: path for path in (HERE / "static").iterdir()}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self';"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageHandler(LocalHandler):
    """GET /sandbox."""

    async def get(self) -> None:
        """Give the page; its script puts in the words of the reader's language."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        page = (HERE / "templates" / "chat.html").read_text(encoding="utf-8")
        self.finish(page.replace("{language}", self._language()))

    def _language(self) -> str:
        wished = self.get_query_argument("lang", "") or self.request.headers.get("Accept-Language", "")
        first = wished.split(",")[0].strip().lower()
        return "en" if first.startswith("en") else "pt-BR"


class StaticHandler(LocalHandler):
    """GET /sandbox/static/<name>."""

    async def get(self, name: str) -> None:
        """Give a file that lies beside the page, and nothing else."""
        if name not in STATIC:
            raise HTTPError(404)
        self.set_header("Content-Type", f"{CONTENT_TYPES[STATIC[name].suffix]}; charset=utf-8")
        self.finish(STATIC[name].read_bytes())


class FileHandler(LocalHandler):
    """GET /sandbox/files/<file_id>."""

    async def get(self, file_id: str) -> None:
        """Give a file a bot has sent."""
        row = self.sandbox.store.find(
            """
            SELECT content_type, content FROM files WHERE id = :file_id
            UNION ALL
            SELECT content_type, content FROM media WHERE id = :file_id
            """,
            file_id=file_id,
        )
        if row is None:
            raise HTTPError(404)
        self.set_header("Content-Type", row["content_type"])
        self.set_header("Cache-Control", "private, max-age=86400, immutable")
        self.set_header("Content-Security-Policy", "default-src 'none'")
        self.finish(row["content"])
