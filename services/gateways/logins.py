"""Calls with an access token: fetched once per account, and once more when the provider takes it no longer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from grimbots.services.clients.tokens import Token
from grimbots.services.gateways.base import Credentials, Refusal, Undecided

if TYPE_CHECKING:
    from grimbots.services.clients.http import HttpClient, Response

SHORTEST_LIFE_SECONDS = 60.0  # of a token whose provider names none, or none that can be
LONGEST_LIFE_SECONDS = 366 * 86_400.0


async def call_logged_in(
    http: HttpClient,
    account: str,
    fetch: Callable[[], Awaitable[Token | Refusal]],
    send: Callable[[str], Awaitable[Response]],
) -> Response | Refusal:
    """Send with the account's token; a 401 says it was not executed, so it is sent again with a new one, once.

    Args:
        account: what `name_account` made of the credentials.
    """
    token = await http.tokens.get(account, fetch)
    if isinstance(token, Refusal):
        return token
    response = await send(token.value)
    if response.status != 401:
        return response
    http.tokens.drop(account, token)
    token = await http.tokens.get(account, fetch)
    return token if isinstance(token, Refusal) else await send(token.value)


def name_account(gateway: str, credentials: Credentials) -> str:
    """Name an account by a digest of its credentials: other credentials never get its token."""
    said = json.dumps(sorted(credentials.items()))
    return f"{gateway}:{hashlib.sha256(said.encode()).hexdigest()}"


def read_token(answer: Mapping[str, Any]) -> Token:
    """Read an answer of OAuth 2.0 (RFC 6749, 5.1).

    Raises:
        Undecided: there is no token in it.
    """
    value, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(value, str) or not value:
        raise Undecided("the provider's answer has no access_token")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= LONGEST_LIFE_SECONDS
    return Token(value, float(seconds) if known else SHORTEST_LIFE_SECONDS)  # type: ignore[arg-type]
