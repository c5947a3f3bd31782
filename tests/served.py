"""The app as it is really served: gunicorn with our configuration, in processes of its own."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.daemon import Command, Daemon, Server

ROOT = Path(__file__).parents[1]

Json = dict[str, Any]


class ServedApp(Server):
    """A gunicorn at `url`, its workers and what they log."""

    def __init__(self, app: str, settings: dict[str, object]) -> None:
        """Start `app`, named as `module:object`, with `settings` as its environment."""
        environment = {name.upper(): str(value) for name, value in settings.items()}
        self._gunicorn = Daemon(
            "allthing-gunicorn",
            crash=signal.SIGQUIT,
            identity={},  # only we may be able to read our virtual environment
            environment=environment | {"PYTHONPATH": str(ROOT)},
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

    def log(self) -> list[Json]:
        """Return the lines logged so far. Each has to be a JSON object."""
        lines = (self._gunicorn.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def logged(self, message: str) -> list[Json]:
        """Return the lines with exactly this message."""
        return [line for line in self.log() if line["message"] == message]

    def wake_workers(self, count: int) -> None:
        """Send requests until each worker has answered one: a new one may still be starting."""
        while len({line["process"] for line in self.logged("request")}) < count:
            requests.get(f"{self.url}/healthz", headers={"Connection": "close"}, timeout=5)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
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
