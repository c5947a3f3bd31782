"""Voters: each votes in some polls, and sometimes twice; most retry until they are answered."""

from collections.abc import Callable
from datetime import date
from random import Random

from tests.crash.http_client import HTTPClient, Json
from tests.crash.journal import Attempt, Case, Journal, Outcome
from tests.crash.poll_list import PollList
from tests.crash.threads import ThreadGroup, retry_until

POLLS_EACH = 3
PAUSES_SECONDS = 0.0, 0.1, 0.2  # between a voter and the next one
IDENTITIES = ("cookie", "cookie", "header", "body", "cookie and header")

Choices = tuple[str, ...]


class Voters:
    """Who they are, and how they vote."""

    def __init__(
        self, client: HTTPClient, poll_list: PollList, journal: Journal, today: Callable[[], date]
    ) -> None:
        self._client = client
        self._poll_list = poll_list
        self._journal = journal
        self._today = today

    def vote(self, threads: ThreadGroup, number: int, random: Random) -> None:
        """Be one voter after the other, not always in a hurry."""
        count = 0
        while not threads.stop.wait(random.choice(PAUSES_SECONDS)):
            count += 1
            identity = random.choice(IDENTITIES)
            headers = {"Cookie": self._cookie(random)} if "cookie" in identity else {}
            for poll in self._poll_list.sample(POLLS_EACH, random):
                case = Case(f"voter {number}-{count}", poll, identity, headers)
                self._journal.cases.append(case)
                self._act(threads, case, random)

    def send(self, case: Case, choices: Choices, random: Random) -> Outcome | None:
        """Send one ballot once, to any replica; note and return what the answer tells."""
        path = f"/polls/{case.poll['pollId']}/vote"
        body, headers = case.request(choices)
        answer = self._client.send(
            random.choice(self._poll_list.ports), "POST", path, body, **headers
        )
        outcome = Outcome.of(answer)
        case.attempts.append(Attempt(choices, outcome, answer, self._today()))
        return None if outcome is Outcome.UNKNOWN else outcome

    def cast(self, case: Case, choices: Choices, random: Random) -> Outcome:
        """Send a ballot until an answer tells something."""
        return retry_until(lambda: self.send(case, choices, random), lambda: pause(random))

    def _cookie(self, random: Random) -> str:
        """Get an identity as a browser does, here with the refusal of an empty ballot."""

        def ask() -> str | None:
            port = random.choice(self._poll_list.ports)
            answer = self._client.send(port, "POST", "/polls/none/vote", {})
            return answer and answer.cookie

        return retry_until(ask, lambda: pause(random))

    def _act(self, threads: ThreadGroup, case: Case, random: Random) -> None:
        ours, others = two_ballots(case.poll, random)
        chance = random.random()
        if chance < 0.15:
            self._send_concurrently(threads, case, (ours, ours), random)
        elif chance < 0.20:
            self._send_concurrently(threads, case, (ours, others), random)
        elif chance < 0.30:
            self.send(case, ours, random)  # and leave, whatever comes of it
        else:
            self.cast(case, ours, random)
        if case.acknowledged and random.random() < 0.2:
            self.cast(case, random.choice((ours, others)), random)

    def _send_concurrently(
        self, threads: ThreadGroup, case: Case, ballots: tuple[Choices, Choices], random: Random
    ) -> None:
        first, second = (Random(random.random()) for _ in ballots)
        threads.run_together(
            lambda: self.cast(case, ballots[0], first),
            lambda: self.cast(case, ballots[1], second),
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
