"""GET /static/<name>: the pages' style, pictures and the one script."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tornado.web import HTTPError

from grimbots.handlers.base import BaseHandler
from grimbots.services.sandbox.pages import STATIC

TOKENS = "tokens.css"  # the colours, one file for these pages and the sandbox's
FILES = {path.name: path.read_bytes() for path in [*(Path(__file__).parent / "static").iterdir(), STATIC[TOKENS]]}
DIGESTS = {name: hashlib.sha256(content).hexdigest()[:10] for name, content in FILES.items()}
CONTENT_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def asset_url(name: str) -> str:
    """Return a file's address, another one whenever it changes."""
    return f"/static/{name}?v={DIGESTS[name]}"


class AssetHandler(BaseHandler):
    """One of the files that lie in `static/`, and nothing else."""

    def get(self, name: str) -> None:
        """Give it, to be kept for a year: its address changes with it."""
        if name not in FILES:
            raise HTTPError(404)
        self.set_header("Content-Type", CONTENT_TYPES[Path(name).suffix])
        self.set_header("Content-Security-Policy", "default-src 'none'")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.finish(FILES[name])
