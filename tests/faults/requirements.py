"""What a fault may do to the app, what it did, and whether that is the same."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.load import Sample
from tests.support.api import Json

HEAL_SECONDS = 3.0
NOTICE_SECONDS = 1.0  # after that /readyz must know of a sick Redis
LINES_PER_CHANGE = 5
BUG = "unexpected error"
AWAY, BACK = "redis is away", "redis is back"

ENDPOINTS = ("today", "results", "vote", "duplicate", "replay", "admin", "healthz", "readyz")
HEALTHY: Mapping[str, frozenset[int]] = {
    endpoint: frozenset({409 if endpoint == "duplicate" else 200}) for endpoint in ENDPOINTS
}
RETRIED = frozenset({200, 409})  # asked again after a broken connection


@dataclass(frozen=True)
class Requirement:
    """A row of the table: who may be answered what, and how soon, while a fault lasts.

    `answers` names what differs from a healthy app. While Redis is `away`, /readyz has to call it
    unhealthy. Of any Redis fault the workers may log no more than a change of state is worth.
    What begins once the fault has been there for `bound` seconds has to end within `settled`.
    A `permanent` fault is not lifted, so nothing heals.
    """

    row: str
    title: str
    bound: float = 0.25
    answers: Mapping[str, Collection[int]] = field(default_factory=dict)
    settled: float | None = None
    redis: Literal["well", "away", "flapping"] = "well"
    permanent: bool = False

    def allowed(self, endpoint: str) -> frozenset[int]:
        if endpoint == "retry":
            return RETRIED | frozenset(self.answers.get("vote", ()))
        return frozenset(self.answers.get(endpoint, HEALTHY[endpoint]))


NORMAL = Requirement("", "")


@dataclass(frozen=True)
class Times:
    """When the fault began to be made, was there, began to be lifted, and was lifted."""

    began: float
    there: float
    lifting: float
    lifted: float


class Standstill:
    """How long the machine itself stood still, from totals up to moments."""

    def __init__(self, totals: Sequence[tuple[float, float]]) -> None:
        self._totals = totals

    def between(self, begun: float, ended: float) -> float:
        return self._until(ended) - self._until(begun)

    def _until(self, moment: float) -> float:
        place = bisect_left(self._totals, (moment, 0.0))
        return self._totals[min(place, len(self._totals) - 1)][1]


@dataclass(frozen=True)
class Recording:
    """All that the clients saw, when the machine stood still, and what the workers logged."""

    requirement: Requirement
    samples: list[Sample]
    standstill: Standstill
    times: Times
    warnings: list[Json]
    warnings_during: list[Json]

    def during(self) -> list[Sample]:
        """Return what was asked or answered while the fault was made, there, or healing."""
        return [s for s in self.samples if s.ended >= self.times.began]

    def healed(self) -> float:
        """Return the seconds from the end of the fault to the last answer that showed it."""
        last = max((s.ended for s in self.samples if not self.is_normal(s)), default=0.0)
        return max(0.0, last - self.times.lifted)

    def is_within(self, sample: Sample) -> bool:
        """Tell whether it was asked and answered while the fault was there."""
        return sample.begun >= self.times.there and sample.ended <= self.times.lifting

    def shows_fault(self, sample: Sample) -> bool:
        return self.is_within(sample) or not self.is_normal(sample)

    def is_normal(self, sample: Sample) -> bool:
        is_well = self.requirement.redis == "well" or sample.redis != "unhealthy"
        return is_well and sample.status in NORMAL.allowed(sample.endpoint)


class TooSlow(AssertionError):
    """All was as required, but not quick enough: looked at twice, since our faults come again."""


def complaints(recording: Recording) -> list[str]:
    """Say, in sentences, what was not as required, slowness apart; nothing if all was."""
    return [
        *wrong_answers(recording),
        *wrong_health(recording),
        *chatter(recording),
        *(f"bug: {line.get('exc_info')}" for line in recording.warnings if line["message"] == BUG),
    ]


def wrong_answers(recording: Recording) -> Iterable[str]:
    requirement = recording.requirement
    wrong: Counter[tuple[str, int, str]] = Counter()
    for sample in recording.during():
        allowed = requirement.allowed(sample.endpoint)
        if not recording.is_within(sample):
            allowed |= NORMAL.allowed(sample.endpoint)  # it saw both
        if sample.status not in allowed:
            wrong[sample.endpoint, sample.status, sample.fault] += 1
        elif sample.status == 503 and sample.endpoint != "readyz" and not sample.retry_after:
            wrong[sample.endpoint, 503, "without Retry-After"] += 1
    for (endpoint, status, fault), times_seen in wrong.items():
        yield f"{endpoint}: {times_seen} × {status} {fault}"


def slow_answers(recording: Recording) -> Iterable[str]:
    """Complain about what was slower than the bound and the machine's own standstill together."""
    requirement = recording.requirement
    for sample in recording.during():
        allowance = recording.standstill.between(sample.begun, sample.ended)
        since = sample.begun - recording.times.there
        is_settled = since > requirement.bound and sample.ended < recording.times.lifting
        bound = requirement.settled if is_settled and requirement.settled else requirement.bound
        if sample.seconds > bound + allowance:
            yield (
                f"{sample.endpoint} {sample.status}: took {sample.seconds * 1000:.0f} ms, begun "
                f"{since:+.2f} s after the fault; the machine stood still {allowance * 1000:.0f} ms"
            )


def wrong_health(recording: Recording) -> Iterable[str]:
    requirement, times = recording.requirement, recording.times
    if requirement.redis == "away":
        states = {
            s.redis
            for s in recording.samples
            if s.redis and s.begun > times.there + NOTICE_SECONDS and s.ended < times.lifting
        }
        if states - {"unhealthy"}:
            yield f"readyz calls Redis {sorted(states)} while it is away"
        if any(line["message"] == BACK for line in recording.warnings_during):
            yield "flapping: Redis was called back while it was away"
    allowance = recording.standstill.between(times.lifted, times.lifted + recording.healed())
    if not requirement.permanent and recording.healed() > HEAL_SECONDS + allowance:
        signs = [sample for sample in recording.samples if not recording.is_normal(sample)]
        yield f"healed {recording.healed():.1f} s late: {max(signs, key=lambda s: s.ended)}"


def chatter(recording: Recording) -> Iterable[str]:
    """Complain about more lines than Redis's changes of state are worth, if all else was well."""
    if recording.requirement.redis == "well" or recording.requirement.answers:
        return
    lines: dict[int, Counter[str]] = defaultdict(Counter)
    for line in recording.warnings:
        lines[line["process"]][line["message"]] += 1
    for process, messages in lines.items():
        changes = messages[AWAY] + messages[BACK]
        if messages.total() > LINES_PER_CHANGE * changes:
            yield f"process {process} logged {dict(messages)}"
