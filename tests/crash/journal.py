"""What each voter tried and was told: all that the app has promised, kept outside of it."""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from tests.crash.wire import Answer, Json


class Told(Enum):
    """What an answer to a ballot tells its voter."""

    COUNTED = "it is counted"
    COUNTED_BEFORE = "it is a retry of one that is counted"
    HAD_VOTED = "another one of this voter is counted"
    CLOSED = "the poll is closed"
    NOTHING = "nothing, so it may be counted or not"
    NONSENSE = "what must not be told"

    @classmethod
    def by(cls, answer: Answer | None) -> "Told":
        """Read an answer to a ballot that keeps the poll's rules."""
        if answer is None or answer.status == 503:
            return cls.NOTHING
        detail = answer.body.get("detail", "")
        match answer.status:
            case 200:
                return cls.COUNTED_BEFORE if answer.body.get("deduped") else cls.COUNTED
            case 409 if "not open" in detail:
                return cls.CLOSED
            case 409 if "you have voted" in detail:
                return cls.HAD_VOTED
            case 422 if "idempotency" in detail.lower():
                return cls.HAD_VOTED
        return cls.NONSENSE


PROMISES = {Told.COUNTED, Told.COUNTED_BEFORE}  # this ballot is stored, for good
STORED = PROMISES | {Told.HAD_VOTED}  # a ballot of this voter is


@dataclass(frozen=True)
class Attempt:
    choices: tuple[str, ...]  # option ids, best first
    told: Told
    answer: Answer | None
    day: date  # when it came


@dataclass
class Case:
    """All that one voter tried in one poll.

    The `mark` is on the ballot, as an answer of the survey. The voter is known by `way`: a
    cookie among the `headers`, an idempotency key in the body or in a header, or both.
    """

    mark: str
    poll: Json
    way: str
    headers: dict[str, str]
    attempts: list[Attempt] = field(default_factory=list)

    def request(self, choices: tuple[str, ...]) -> tuple[Json, dict[str, str]]:
        """Return body and headers of a ballot: the same ones for each retry of it."""
        body: Json = {"rankedChoices": choices, "religion": self.mark}
        key = f"{self.mark} in {self.poll['pollId']}"
        if self.way == "body":
            body["idempotencyKey"] = key
        return body, self.headers | ({"Idempotency_Key": key} if "header" in self.way else {})

    @property
    def is_keyed(self) -> bool:
        return self.way != "cookie"

    def was_told(self, *what: Told) -> bool:
        return any(attempt.told in what for attempt in self.attempts)

    @property
    def promised(self) -> set[tuple[str, ...]]:
        """The choices of which the voter was told that they are counted."""
        return {attempt.choices for attempt in self.attempts if attempt.told in PROMISES}

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether the voter does not know what became of the ballot."""
        return not self.was_told(*STORED, Told.CLOSED)


@dataclass
class Journal:
    """The cases of all voters; polls that an admin was told are closed; answers like no other."""

    cases: list[Case] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        return sum(bool(case.promised) for case in self.cases)
