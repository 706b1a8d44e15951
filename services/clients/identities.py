"""Who we are to a party that asks for a client certificate (mTLS): a TLS context for each certificate, made once.

Certificate and key come as PEM text and touch no disk: OpenSSL reads them from a file in memory that only this process
can open. A context with the system's authorities takes 22 ms to make and 0.8 MB (measured), so it is made in a thread,
and few are kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections import OrderedDict

from grimbots.services.clients.flights import Flights

MOST = 64


class Identities:
    """The contexts of this process. `tls`: whom to trust; None: whom the system trusts."""

    def __init__(self, tls: ssl.SSLContext | None = None, most: int = MOST) -> None:
        self._tls = tls
        self._most = most
        self._kept: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._flights = Flights()

    async def get(self, pem: str) -> ssl.SSLContext:
        """Return the context that shows this certificate (with its chain and key) to whoever asks for one.

        Raises:
            ssl.SSLError: it is none, or the key is another's.
        """
        key = hashlib.sha256(pem.encode()).hexdigest()
        context = self._kept.get(key)
        if context is None:
            context = await self._flights.join(key, lambda: asyncio.to_thread(self._make, pem))
            self._kept[key] = context
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return context

    def _make(self, pem: str) -> ssl.SSLContext:
        return make_context(pem, None if self._tls is None else b"".join(self._tls.get_ca_certs(binary_form=True)))


def make_context(pem: str, trusted: bytes | None = None) -> ssl.SSLContext:
    """Make the context of one certificate; `trusted`: the authorities in DER, None: those of the system.

    Raises:
        ssl.SSLError: it is none, the key is another's, or OpenSSL thinks it too weak.
    """
    context = ssl.create_default_context(cadata=trusted)
    file = os.memfd_create("certificate")
    try:
        os.write(file, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    return context
