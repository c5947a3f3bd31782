"""Voters: each votes once in some polls, insists on an answer, and now and then tries it twice."""

from collections.abc import Callable
from datetime import date
from random import Random

from tests.crash.board import Board
from tests.crash.journal import Attempt, Case, Journal, Told
from tests.crash.shift import Shift, until
from tests.crash.wire import Json, Wire

POLLS_EACH = 3
PAUSES_SECONDS = 0.0, 0.1, 0.2  # between two voters of a line
WAYS = ("cookie", "cookie", "header", "body", "cookie and header")

Choices = tuple[str, ...]


class Voters:
    """Who they are, and how they vote."""

    def __init__(
        self, wire: Wire, board: Board, journal: Journal, today: Callable[[], date]
    ) -> None:
        self._wire = wire
        self._board = board
        self._journal = journal
        self._today = today

    def vote(self, shift: Shift, line: int, random: Random) -> None:
        """Be one voter after the other, standing in one line, not always in a hurry."""
        number = 0
        while not shift.over.wait(random.choice(PAUSES_SECONDS)):
            number += 1
            way = random.choice(WAYS)
            headers = {"Cookie": self._cookie(random)} if "cookie" in way else {}
            for poll in self._board.some(POLLS_EACH, random):
                case = Case(f"voter {line}-{number}", poll, way, headers)
                self._journal.cases.append(case)
                self._cast(shift, case, random)

    def send(self, case: Case, choices: Choices, random: Random) -> Told | None:
        """Send one ballot once, to any replica; note and return what the answer tells."""
        path = f"/polls/{case.poll['pollId']}/vote"
        body, headers = case.request(choices)
        answer = self._wire.send(random.choice(self._board.ports), "POST", path, body, **headers)
        told = Told.by(answer)
        case.attempts.append(Attempt(choices, told, answer, self._today()))
        return None if told is Told.NOTHING else told

    def insist(self, case: Case, choices: Choices, random: Random) -> Told:
        """Send a ballot until an answer tells something."""
        return until(lambda: self.send(case, choices, random), lambda: pause(random))

    def _cookie(self, random: Random) -> str:
        """Get an identity as a browser does, here with the refusal of an empty ballot."""

        def ask() -> str | None:
            port = random.choice(self._board.ports)
            answer = self._wire.send(port, "POST", "/polls/none/vote", {})
            return answer and answer.cookie

        return until(ask, lambda: pause(random))

    def _cast(self, shift: Shift, case: Case, random: Random) -> None:
        ours, others = two_ballots(case.poll, random)
        manner = random.random()
        if manner < 0.15:
            self._send_twins(shift, case, (ours, ours), random)
        elif manner < 0.20:
            self._send_twins(shift, case, (ours, others), random)
        elif manner < 0.30:
            self.send(case, ours, random)  # and leave, whatever comes of it
        else:
            self.insist(case, ours, random)
        if case.promised and random.random() < 0.2:
            self.insist(case, random.choice((ours, others)), random)

    def _send_twins(
        self, shift: Shift, case: Case, twins: tuple[Choices, Choices], random: Random
    ) -> None:
        first, second = (Random(random.random()) for _ in twins)
        shift.at_once(
            lambda: self.insist(case, twins[0], first), lambda: self.insist(case, twins[1], second)
        )


def pause(random: Random) -> float:
    """Return the seconds that somebody without an answer waits until he asks again."""
    return random.uniform(0.05, 0.4)


def two_ballots(poll: Json, random: Random) -> tuple[Choices, Choices]:
    """Return two different ballots that keep the poll's rules."""
    options = [option["optionId"] for option in poll["options"]]
    length = 1
    if poll["pollType"] == "RANKED":
        length = random.randint(2, poll["maxRank"] or len(options))
    ours = others = tuple(random.sample(options, length))
    while others == ours:
        others = tuple(random.sample(options, length))
    return ours, others
