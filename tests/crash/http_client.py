"""HTTP as cheap as it can be had, for many clients in one process; a lost answer is None."""

import http.client
import json
import threading
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 10.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json
    cookie: str | None  # `vt=…`, if the server set one


class HTTPClient:
    """Kept connections to some ports of 127.0.0.1, for each thread its own."""

    def __init__(self) -> None:
        self._connections: dict[tuple[int, int], http.client.HTTPConnection] = {}

    def close(self) -> None:
        """Hang up everywhere, once no thread uses it any more."""
        for connection in self._connections.values():
            connection.close()

    def send(
        self, port: int, method: str, path: str, body: object = None, **headers: str
    ) -> Answer | None:
        """Send a request once. None: no whole answer came, so nobody knows what was done.

        Header names are given with `_` for `-`.
        """
        connection = self._connections.setdefault(
            (threading.get_ident(), port),
            http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS),
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            named["Content-Type"] = "application/json"
        try:
            connection.request(method, path, content, named)
            response = connection.getresponse()
            read = json.loads(response.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        cookie = response.headers.get("Set-Cookie")
        return Answer(response.status, read, cookie and cookie.partition(";")[0])
