"""The load: a process of its own with paced clients, so that nothing of the test slows it down.

`python -m tests.faults.load` reads a line of JSON (an `Order`), says `ready` once every client has
had an answer, and works until the next line, whatever it says; then it prints a `Recording` as a
line of JSON and reads the next order. Times are of CLOCK_MONOTONIC, which all processes of a
machine share.
"""

import itertools
import json
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

from itsdangerous import URLSafeSerializer

from tests.faults.heartbeat import Heartbeat

TIMEOUT_SECONDS = 60.0
MIX = {  # how often each is asked for, in a round of a client
    "today": 3,
    "results": 3,
    "vote": 4,
    "duplicate": 1,
    "replay": 1,
    "admin": 1,
    "healthz": 1,
    "readyz": 2,
}


@dataclass(frozen=True)
class Order:
    """What to do: where, for whom, how many clients and how many requests a second each."""

    port: int
    poll_id: str
    option_id: str
    category_id: str
    secret_key: str
    admin_key: str
    clients: int = 16
    rate: float = 3.5
    mix: dict[str, int] = field(default_factory=MIX.copy)


@dataclass(frozen=True)
class Sample:
    """One answer. Status 0 is a broken connection; `redis` is what /readyz said of it."""

    endpoint: str
    status: int
    begun: float
    ended: float
    voter: str = ""
    redis: str = ""
    retry_after: str = ""
    fault: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class Voter:
    """Somebody with a cookie of ours, an address of their own and, for some, a key for retries."""

    def __init__(self, order: Order, with_key: bool) -> None:
        token = secrets.token_urlsafe(24)
        signed = URLSafeSerializer(order.secret_key, salt="voter-token").dumps({"t": token})
        self.name = token
        self.headers = {
            "Cookie": f"vt={signed!s}",
            "Content-Type": "application/json",
            "X-Forwarded-For": address(),
        }
        self.with_key = with_key
        if with_key:
            self.headers["Idempotency-Key"] = token


class Client:
    """One connection that is kept, and the voters who use it, one after the other."""

    def __init__(self, order: Order, place: int) -> None:
        self.order = order
        self.samples: list[Sample] = []
        self.voted: dict[bool, Voter] = {}
        self.keys = itertools.cycle([True, False])
        self.random = random.Random(place)
        self.connection = HTTPConnection("127.0.0.1", order.port, timeout=TIMEOUT_SECONDS)

    def work(self, stop: threading.Event) -> None:
        """Ask at the agreed pace; never make up for time that was lost waiting."""
        pace = 1 / self.order.rate
        due = time.monotonic() + self.random.uniform(0, pace)
        for endpoint in self.round():
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            getattr(self, endpoint)()
            due = max(due + pace, time.monotonic())

    def round(self) -> Iterator[str]:
        names = [name for name, times in self.order.mix.items() for _ in range(times)]
        while True:
            self.random.shuffle(names)
            yield from names

    def today(self) -> None:
        self.ask("today", "GET", "/polls/today")

    def results(self) -> None:
        self.ask("results", "GET", f"/polls/{self.order.poll_id}/results")

    def healthz(self) -> None:
        self.ask("healthz", "GET", "/healthz")

    def readyz(self) -> None:
        self.ask("readyz", "GET", "/readyz")

    def vote(self) -> None:
        """Vote; somebody whose connection breaks asks once more, as people do."""
        voter = Voter(self.order, next(self.keys))
        status = self.cast("vote", voter)
        if status == 0:
            status = self.cast("retry", voter)
        if status == 200:
            self.voted[voter.with_key] = voter

    def duplicate(self) -> None:
        if False in self.voted:
            self.cast("duplicate", self.voted[False])

    def replay(self) -> None:
        if True in self.voted:
            self.cast("replay", self.voted[True])

    def cast(self, endpoint: str, voter: Voter) -> int:
        body = json.dumps({"rankedChoices": [self.order.option_id]})
        path = f"/polls/{self.order.poll_id}/vote"
        return self.ask(endpoint, "POST", path, body=body, headers=voter.headers, voter=voter.name)

    def admin(self) -> None:
        headers = {"x-admin-key": self.order.admin_key, "Content-Type": "application/json"}
        body = json.dumps({"name": f"Food {self.random.randrange(1000)}"})
        path = f"/admin/categories/{self.order.category_id}"
        self.ask("admin", "PUT", path, body=body, headers=headers)

    def ask(
        self,
        endpoint: str,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        voter: str = "",
    ) -> int:
        """Send one request and note how it was answered."""
        begun = time.monotonic()
        status, text, retry_after, fault = 0, b"", "", ""
        try:
            headers = {"X-Forwarded-For": address()} | (headers or {})
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            status, text = answer.status, answer.read()
            retry_after = answer.getheader("Retry-After", "")
        except (OSError, HTTPException) as error:
            fault = f"{type(error).__name__}: {error}"
            self.connection.close()
        ended = time.monotonic()
        redis = redis_state(text) if endpoint == "readyz" and status else ""
        if status not in {0, 200, 409}:
            fault = text[:300].decode(errors="replace")
        sample = Sample(endpoint, status, begun, ended, voter, redis, retry_after, fault)
        self.samples.append(sample)
        return status


def address() -> str:
    """Return an address that nobody had before, so that limits apply and refuse none of us."""
    return ".".join(["10", *(str(byte) for byte in secrets.token_bytes(3))])


def redis_state(body: bytes) -> str:
    return str(json.loads(body)["components"]["redis"])


def record(order: Order, until: Callable[[], object]) -> dict[str, Any]:
    stop = threading.Event()
    clients = [Client(order, place) for place in range(order.clients)]
    heartbeat = Heartbeat()
    threads = [threading.Thread(target=client.work, args=(stop,)) for client in clients]
    threads.append(threading.Thread(target=heartbeat.beat, args=(stop,)))
    for thread in threads:
        thread.start()
    while not all(client.samples for client in clients):
        time.sleep(0.005)
    print("ready", flush=True)
    until()
    stop.set()
    for thread in threads:
        thread.join()
    samples = [asdict(sample) for client in clients for sample in client.samples]
    return {"samples": samples, "standstill": heartbeat.standstill}


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        print(json.dumps(record(Order(**json.loads(line)), sys.stdin.readline)), flush=True)


if __name__ == "__main__":
    main()
