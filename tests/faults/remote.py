"""A served app with the interface of one in this process, for what `tests.api` does by HTTP."""

from typing import Any

import requests

from tests.faults.load import address
from tests.support.served import ServedApp


class Answer:
    """A response, as Flask's test client gives it."""

    def __init__(self, response: requests.Response) -> None:
        self.status_code = response.status_code
        self.text = response.text
        self.json = response.json()


class RemoteClient:
    """Sends each request from an address of its own, so that no limit refuses it."""

    def __init__(self, server: ServedApp) -> None:
        self.server = server

    def open(self, path: str, *, method: str = "GET", **arguments: Any) -> Answer:
        headers = {"X-Forwarded-For": address()} | arguments.pop("headers", {})
        arguments["params"] = arguments.pop("query_string", None)
        return Answer(self.server.request(method, path, headers=headers, **arguments))

    def get(self, path: str, **arguments: Any) -> Answer:
        return self.open(path, **arguments)


class RemoteApp:
    def __init__(self, server: ServedApp) -> None:
        self.server = server

    def test_client(self, **_options: Any) -> RemoteClient:
        return RemoteClient(self.server)
