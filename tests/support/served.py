"""The app as it is really served: gunicorn with our configuration, in processes of its own."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import requests

from tests.support.daemon import Command, Daemon, Server
from tests.support.fork_server import fork

ROOT = Path(__file__).parents[2]
WORKERS = 2
LOGGING_SECONDS = 0.2  # within which a request is in the log

Json = dict[str, Any]


class ServedApp(Server):
    """A gunicorn at `url`, its workers and what they log."""

    def __init__(self, app: str, settings: dict[str, object]) -> None:
        """Start `app`, named as `module:object`, with `settings` as its environment."""
        settings = {"web_concurrency": WORKERS} | settings
        environment = {name.upper(): str(value) for name, value in settings.items()}
        self._gunicorn = Daemon(
            "allthing-gunicorn",
            crash=signal.SIGKILL,
            identity={},  # only we may be able to read our virtual environment
            environment=environment | {"PYTHONPATH": str(ROOT)},
            popen=fork,
        )
        super().__init__(self._gunicorn)

        def command(port: int) -> Command:
            gunicorn = (sys.executable, "-m", "gunicorn", "--config", ROOT / "gunicorn.conf.py")
            return [*gunicorn, "--bind", f"127.0.0.1:{port}", app]

        try:
            self._gunicorn.launch(command, self._answers)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._gunicorn.port

    def stop(self, mode: Any = signal.SIGTERM) -> None:
        """Send a signal, by default the one that containers are stopped with; wait for the end."""
        self._gunicorn.stop(mode)

    def log(self, start: int = 0, end: int | None = None) -> list[Json]:
        """Return the lines logged so far, whole ones from byte to byte, each a JSON object.

        Either byte may be within a line that was being written when its number was taken.
        """
        if end is None:
            time.sleep(LOGGING_SECONDS)
        content = (self._gunicorn.folder / "log").read_bytes()
        first = (content.find(b"\n", start - 1) + 1 or len(content)) if start else 0
        beyond = content.rfind(b"\n", 0, end) + 1
        return [json.loads(line) for line in content[first:beyond].splitlines()]

    def log_size(self) -> int:
        """Return the bytes logged so far."""
        return (self._gunicorn.folder / "log").stat().st_size

    def logged(self, message: str, start: int = 0) -> list[Json]:
        """Return the lines with exactly this message, from line number `start` on."""
        return [line for line in self.log()[start:] if line["message"] == message]

    def workers(self, ask: Callable[[], object] | str = "/healthz") -> set[int]:
        """Ask, by default for a path, until both workers have answered; return their ids."""
        call = ask if callable(ask) else lambda: self.get(ask)
        seen = len(self.log())
        while len(workers := {line["process"] for line in self.logged("request", seen)}) < WORKERS:
            for _ in range(4):
                call()
        return workers

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send one request on a connection of its own."""
        with self.connection() as connection:
            return connection.request(method, f"{self.url}{path}", **{"timeout": 30} | arguments)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("POST", path, **arguments)

    def vote(
        self, poll: Json, place: int = 0, session: requests.Session | None = None
    ) -> requests.Response:
        """Vote for the option at a place; as a new voter, unless a session casts the vote."""
        choice = {"rankedChoices": [poll["options"][place]["optionId"]]}
        with nullcontext(session) if session else self.connection() as client:
            return client.post(f"{self.url}/polls/{poll['pollId']}/vote", json=choice, timeout=30)

    def connection(self) -> requests.Session:
        """Return a client that keeps its connection, and obeys no proxy of the developer's."""
        session = requests.Session()
        session.trust_env = False
        return session

    def _answers(self) -> bool:
        try:
            return self.get("/healthz").ok
        except requests.RequestException:
            return False


@contextmanager
def served(app: str = "wsgi:app", **settings: object) -> Iterator[ServedApp]:
    """Serve the app until the end of the block; a killed test run leaves no process either.

    `settings` are those of `allthing.config`, for a database that is migrated already.
    """
    server = ServedApp(app, settings)
    try:
        yield server
    finally:
        server.close()
