"""Who may speak to the server: a token, the expected Host and Origin, and bodies of bounded size.

The token keeps other users of the machine and other pages out; Host keeps out names that were pointed at this
machine (DNS rebinding); Origin keeps out pages of other sites whose reader has the studio open.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of one request: a table of a million rows and five columns as text."""

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that its own browser uses."""

HEADERS = (
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
     b"connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)  # fmt: skip
"""Sent with every answer: nothing is loaded from elsewhere, and the token in the address goes nowhere."""


@dataclass(frozen=True)
class Key:
    """Hold what opens the server: its token and where it listens."""

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def reached(self) -> str:
        """Return where this machine reaches a server that listens there; everywhere is also here."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def address(self) -> str:
        """Return the address to open, token included."""
        shown = f"[{self.reached}]" if ":" in self.reached else self.reached
        return f"http://{shown}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Return the cookie's name; browsers share cookies among the ports of a machine."""
        return f"kansym-studio-{self.port}"

    def refusal(self, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> str:
        """Return why a request is refused, empty for one that may pass."""
        found: dict[str, str] = {}
        for name, value in headers:
            found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        host = found.get("host", "")
        if not self._is_ours(host):
            return f"Host {host!r} is not this server; use the address that it printed."
        origin = found.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"A page of {origin!r} may not speak to this server; open the address that it printed."
        if not self._has_token(query, found.get("cookie", "")):
            return "The address lacks the token; use the one that the command printed."
        return ""

    def _is_ours(self, host: str) -> bool:
        """Tell whether a Host header names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if (port or 80) != self.port:
            return False
        if name in (*LOCAL, self.host.lower()):
            return True
        if self.host in LOCAL:
            return False
        # told to listen elsewhere: by this machine's name or by a number, which no other site's name can be
        return name == socket.gethostname().lower() or _is_number(name)

    def _has_token(self, query: bytes, cookies: str) -> bool:
        """Tell whether the address or a cookie has the token."""
        given = parse_qs(query.decode("latin-1")).get("token", [])
        try:
            jar = SimpleCookie(cookies)
        except CookieError:
            jar = SimpleCookie()
        if self.cookie in jar:
            given.append(jar[self.cookie].value)
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in given)


def _is_number(name: str) -> bool:
    """Tell whether a host's name is an address in numbers."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Let through what the key opens, as ASGI middleware; 403 for the rest, 413 for too large bodies.

    The first answer leaves the token in a cookie that scripts cannot read and other sites cannot send.
    """

    def __init__(self, app: Any, key: Key, most_bytes: int = MOST_BYTES) -> None:
        self.app, self.key, self.most_bytes = app, key, most_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request or open one socket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        problem = self.key.refusal(scope["headers"], scope["query_string"])
        if problem:
            await _refuse(scope, send, 403, problem)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self.most_bytes:
            await _refuse(
                scope, send, 413, f"A request may have {self.most_bytes} bytes; give a smaller file."
            )
            return
        taken = 0

        async def bounded() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.most_bytes:  # a body that did not announce its length: cut off
                return {"type": "http.disconnect"}
            return message

        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                cookie = f"{self.key.cookie}={self.key.token}; Path=/; HttpOnly; SameSite=Strict"
                extra = [*HEADERS, (b"set-cookie", cookie.encode())]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        await self.app(scope, bounded, marked)


async def _refuse(scope: Any, send: Any, status: int, problem: str) -> None:
    """Answer a request with a status and the reason, and close a socket before it opens."""
    if scope["type"] == "websocket":  # before it is accepted, which servers answer with 403
        await send({"type": "websocket.close", "code": 4403, "reason": problem[:100]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.encode()})
