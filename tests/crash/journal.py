"""What each voter tried and was told: what the app has acknowledged, kept outside of it."""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from tests.crash.http_client import Answer, Json


class Outcome(Enum):
    """What an answer to a ballot tells its voter."""

    COUNTED = "it is counted"
    DEDUPED = "it is a retry of one that is counted"
    ALREADY_VOTED = "another one of this voter is counted"
    CLOSED = "the poll is closed"
    UNKNOWN = "nothing, so it may be counted or not"
    UNEXPECTED = "what must not be told"

    @classmethod
    def of(cls, answer: Answer | None) -> "Outcome":
        """Read an answer to a ballot that keeps the poll's rules."""
        if answer is None or answer.status == 503:
            return cls.UNKNOWN
        detail = answer.body.get("detail", "")
        match answer.status:
            case 200:
                return cls.DEDUPED if answer.body.get("deduped") else cls.COUNTED
            case 409 if "not open" in detail:
                return cls.CLOSED
            case 409 if "you have voted" in detail:
                return cls.ALREADY_VOTED
            case 422 if "idempotency" in detail.lower():
                return cls.ALREADY_VOTED
        return cls.UNEXPECTED


ACKNOWLEDGED = {Outcome.COUNTED, Outcome.DEDUPED}  # this ballot is stored, for good
STORED = ACKNOWLEDGED | {Outcome.ALREADY_VOTED}  # a ballot of this voter is


@dataclass(frozen=True)
class Attempt:
    choices: tuple[str, ...]  # option ids, best first
    outcome: Outcome
    answer: Answer | None
    day: date  # when it came


@dataclass
class Case:
    """All that one voter tried in one poll.

    The `voter_id` is on the ballot, as an answer of the survey. `identity` is what the
    app knows the voter by: a cookie among the `headers`, an idempotency key in the body or in a
    header, or both.
    """

    voter_id: str
    poll: Json
    identity: str
    headers: dict[str, str]
    attempts: list[Attempt] = field(default_factory=list)

    def request(self, choices: tuple[str, ...]) -> tuple[Json, dict[str, str]]:
        """Return body and headers of a ballot: the same ones for each retry of it."""
        body: Json = {"rankedChoices": choices, "religion": self.voter_id}
        key = f"{self.voter_id} in {self.poll['pollId']}"
        if self.identity == "body":
            body["idempotencyKey"] = key
        return body, self.headers | ({"Idempotency_Key": key} if "header" in self.identity else {})

    @property
    def is_keyed(self) -> bool:
        return self.identity != "cookie"

    def has_outcome(self, *outcomes: Outcome) -> bool:
        return any(attempt.outcome in outcomes for attempt in self.attempts)

    @property
    def acknowledged(self) -> set[tuple[str, ...]]:
        """The choices of which the voter was told that they are counted."""
        return {attempt.choices for attempt in self.attempts if attempt.outcome in ACKNOWLEDGED}

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether the voter does not know what became of the ballot."""
        return not self.has_outcome(*STORED, Outcome.CLOSED)


@dataclass
class Journal:
    """The cases of all voters; polls that an admin was told are closed; unexpected answers."""

    cases: list[Case] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return sum(bool(case.acknowledged) for case in self.cases)
