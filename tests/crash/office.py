"""The office: an admin who closes, replaces and opens polls, and takes snapshots, under fire."""

from collections.abc import Callable
from random import Random

from tests.conftest import ADMIN_KEY
from tests.crash.board import Board
from tests.crash.journal import Journal
from tests.crash.shift import Shift, until
from tests.crash.wire import Answer, Json, Wire

PAUSE_SECONDS = 0.2, 0.8
PLACES = ("north", "south", "east", "west", "nowhere")
EXPECTED = {200, 404, 409, 503}  # a board may be late, a database away


class Office:
    """An admin; what is told of polls that are closed, and what is no proper answer, is noted."""

    def __init__(self, wire: Wire, board: Board, journal: Journal, random: Random) -> None:
        self._wire = wire
        self._board = board
        self._journal = journal
        self._random = random
        self._templates = 0

    def open_first_polls(self) -> None:
        self._insist("POST", "/categories", {"key": "crash", "name": "Crash"})
        for number in range(5):
            self.open_poll(is_hot=number == 0)

    def open_poll(self, *, is_hot: bool = False) -> None:
        """Open another poll, for a day or for three; it may become the hot one."""
        self._templates += 1
        is_ranked = self._random.random() < 0.5
        template = {
            "categoryId": self._insist("GET", "/categories")["categories"][0]["id"],
            "title": f"Where to {self._templates}",
            "pollType": "RANKED" if is_ranked else "SINGLE",
            "maxRank": self._random.choice((None, 3)) if is_ranked else None,
            "durationDays": self._random.choice((1, 3)),
            "options": [{"label": label, "sortOrder": n} for n, label in enumerate(PLACES)],
        }
        added = self._insist("POST", "/templates", template)["template"]
        if is_hot:
            self._board.hot = added["id"]
        self._board.refresh(self._random.choice(self._board.ports))
        self._call("POST", f"/rollover?pollDate={self._board.day}")

    def work(self, shift: Shift) -> None:
        """Do now this, now that."""
        duties: dict[Callable[[], object], int] = {
            self._replace_hot_poll: 6,
            self._close_hot_poll: 3,
            self._close_another_poll: 3,
            self._close_all: 1,
            self._take_a_snapshot: 2,
            lambda: self._call("POST", "/snapshots/create-for-active"): 1,
            lambda: self._call("POST", "/snapshots/create-missing"): 1,
            lambda: self._call("POST", "/snapshots/regenerate"): 2,
        }
        while not shift.over.wait(self._random.uniform(*PAUSE_SECONDS)):
            (duty,) = self._random.choices(list(duties), list(duties.values()))
            duty()

    def _replace_hot_poll(self) -> None:
        for poll in self._board.some(1, self._random):
            self._close(poll, "replace")

    def _close_hot_poll(self) -> None:
        for poll in self._board.some(1, self._random):
            self._close(poll, "close")
        self.open_poll(is_hot=True)

    def _close_another_poll(self) -> None:
        for poll in self._board.some(2, self._random)[1:]:
            self._close(poll, "close")
        self.open_poll()

    def _close_all(self) -> None:
        self._call("POST", f"/close?pollDate={self._board.day}")
        self.open_poll(is_hot=True)
        self.open_poll()

    def _take_a_snapshot(self) -> None:
        for poll in self._board.some(1, self._random):
            self._call("POST", f"/instances/{poll['pollId']}/snapshot")

    def _close(self, poll: Json, how: str) -> None:
        answer = self._call("POST", f"/instances/{poll['pollId']}/{how}")
        if answer is not None and answer.status == 200:
            self._journal.closed.add(poll["pollId"])

    def _insist(self, method: str, path: str, body: object = None) -> Json:
        """Repeat a call until it is done; what is done already is done again."""

        def call() -> Json | None:
            answer = self._call(method, path, body)
            return answer.body if answer is not None and answer.status == 200 else None

        return until(call)

    def _call(self, method: str, path: str, body: object = None) -> Answer | None:
        port = self._random.choice(self._board.ports)
        answer = self._wire.send(port, method, f"/admin{path}", body, x_admin_key=ADMIN_KEY)
        if answer is not None and answer.status not in EXPECTED:
            self._journal.complaints.append(f"{method} /admin{path} was answered {answer}")
        return answer
