"""An admin who closes, replaces and opens polls, and takes snapshots, under fire."""

from collections.abc import Callable
from random import Random

from tests.conftest import ADMIN_KEY
from tests.crash.http_client import Answer, HTTPClient, Json
from tests.crash.journal import Journal
from tests.crash.poll_list import PollList
from tests.crash.threads import ThreadGroup, retry_until

PAUSE_SECONDS = 0.2, 0.8
LABELS = ("north", "south", "east", "west", "nowhere")
EXPECTED_STATUSES = {200, 404, 409, 503}  # a list may be out of date, a database away


class Admin:
    """An admin; what is told of polls that are closed, and what is no proper answer, is noted."""

    def __init__(
        self, client: HTTPClient, poll_list: PollList, journal: Journal, random: Random
    ) -> None:
        self._client = client
        self._poll_list = poll_list
        self._journal = journal
        self._random = random
        self._templates = 0

    def open_first_polls(self) -> None:
        self._retry_until_done("POST", "/categories", {"key": "crash", "name": "Crash"})
        for number in range(5):
            self.open_poll(is_hot=number == 0)

    def open_poll(self, *, is_hot: bool = False) -> None:
        """Open another poll, for a day or for three; it may become the hot one."""
        self._templates += 1
        is_ranked = self._random.random() < 0.5
        template = {
            "categoryId": self._retry_until_done("GET", "/categories")["categories"][0]["id"],
            "title": f"Where to {self._templates}",
            "pollType": "RANKED" if is_ranked else "SINGLE",
            "maxRank": self._random.choice((None, 3)) if is_ranked else None,
            "durationDays": self._random.choice((1, 3)),
            "options": [{"label": label, "sortOrder": n} for n, label in enumerate(LABELS)],
        }
        added = self._retry_until_done("POST", "/templates", template)["template"]
        if is_hot:
            self._poll_list.hot_template = added["id"]
        self._poll_list.refresh(self._random.choice(self._poll_list.ports))
        self._call("POST", f"/rollover?pollDate={self._poll_list.day}")

    def run(self, threads: ThreadGroup) -> None:
        """Take actions at random until it is over."""
        actions: dict[Callable[[], object], int] = {
            self._replace_hot_poll: 6,
            self._close_hot_poll: 3,
            self._close_another_poll: 3,
            self._close_all: 1,
            self._take_a_snapshot: 2,
            lambda: self._call("POST", "/snapshots/create-for-active"): 1,
            lambda: self._call("POST", "/snapshots/create-missing"): 1,
            lambda: self._call("POST", "/snapshots/regenerate"): 2,
        }
        while not threads.stop.wait(self._random.uniform(*PAUSE_SECONDS)):
            (action,) = self._random.choices(list(actions), list(actions.values()))
            action()

    def _replace_hot_poll(self) -> None:
        for poll in self._poll_list.sample(1, self._random):
            self._close(poll, "replace")

    def _close_hot_poll(self) -> None:
        for poll in self._poll_list.sample(1, self._random):
            self._close(poll, "close")
        self.open_poll(is_hot=True)

    def _close_another_poll(self) -> None:
        for poll in self._poll_list.sample(2, self._random)[1:]:
            self._close(poll, "close")
        self.open_poll()

    def _close_all(self) -> None:
        self._call("POST", f"/close?pollDate={self._poll_list.day}")
        self.open_poll(is_hot=True)
        self.open_poll()

    def _take_a_snapshot(self) -> None:
        for poll in self._poll_list.sample(1, self._random):
            self._call("POST", f"/instances/{poll['pollId']}/snapshot")

    def _close(self, poll: Json, how: str) -> None:
        answer = self._call("POST", f"/instances/{poll['pollId']}/{how}")
        if answer is not None and answer.status == 200:
            self._journal.closed.add(poll["pollId"])

    def _retry_until_done(self, method: str, path: str, body: object = None) -> Json:
        """Repeat a call until it is done; what is done already is done again."""

        def call() -> Json | None:
            answer = self._call(method, path, body)
            return answer.body if answer is not None and answer.status == 200 else None

        return retry_until(call)

    def _call(self, method: str, path: str, body: object = None) -> Answer | None:
        port = self._random.choice(self._poll_list.ports)
        answer = self._client.send(port, method, f"/admin{path}", body, x_admin_key=ADMIN_KEY)
        if answer is not None and answer.status not in EXPECTED_STATUSES:
            self._journal.unexpected.append(f"{method} /admin{path} was answered {answer}")
        return answer
