"""Whether a form was sent from a page of ours: what browsers say of its origin, and a token no other site can read."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from grimbots.conf.settings import Settings, is_loopback
from grimbots.services.errors import Forbidden

if TYPE_CHECKING:
    from grimbots.services.app import App

OWN_SITES = ("same-origin", "none")  # "none": typed in or reloaded by the person


def make_form_token(app: App, cookie: str) -> str:
    """Return what the forms shown to the owner of a cookie carry; who cannot read the page cannot know it."""
    return app.vault.nonce("form", cookie)


def check(app: App, request: HTTPServerRequest, cookie: str, form_token: str) -> None:
    """Refuse a form that another site sent, or that was not made for this cookie.

    Raises:
        Forbidden: nothing was done.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site not in OWN_SITES:
        raise Forbidden("this form came from another site")
    if origin is not None and origin not in _own_origins(app.settings, request):
        raise Forbidden("this form came from another site")
    if not cookie or not hmac.compare_digest(make_form_token(app, cookie).encode(), form_token.encode()):
        raise Forbidden("this form is too old, or was not made for you")


def _own_origins(settings: Settings, request: HTTPServerRequest) -> set[str]:
    """The public address, and the name by which this machine calls itself (no other site has that)."""
    public = urlsplit(settings.base_url)
    origins = {f"{public.scheme}://{public.netloc}"}
    return origins | {f"http://{request.host}"} if is_local(request) else origins


def is_local(request: HTTPServerRequest) -> bool:
    """Tell whether the request was made to this machine under a name of its own: a rebound DNS name is not one."""
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False
