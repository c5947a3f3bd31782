"""One scenario: voters, admins and faults on two replicas, and what is left of it."""

import time
from collections.abc import Sequence
from functools import partial
from random import Random

from tests.crash import faults
from tests.crash.admins import Admin
from tests.crash.checks import Stored, violations, wrong_results_shown
from tests.crash.deployment import Deployment
from tests.crash.faults import Fault
from tests.crash.journal import Journal, Outcome
from tests.crash.poll_list import PollList
from tests.crash.threads import ThreadGroup
from tests.crash.voters import Voters

VOTERS = 6  # at once
ADMINS = 2
STALE_SECONDS = 5.0  # so long an answer may be late, with all servers well


class Scenario:
    """Voters, admins and faults, for some seconds, and what is left."""

    def __init__(self, deployment: Deployment, seed: str) -> None:
        self.deployment = deployment
        self.seed = seed
        self.journal = Journal()
        self.poll_list = PollList(deployment.client, deployment.ports, self.journal)
        self.voters = Voters(deployment.client, self.poll_list, self.journal, deployment.today)
        self.admins = [
            Admin(
                deployment.client, self.poll_list, self.journal, self.random_for(f"admin {number}")
            )
            for number in range(ADMINS)
        ]
        self.injected: list[str] = []

    def random_for(self, name: str) -> Random:
        return Random(f"{self.seed} {name}")

    def run(self, seconds: float, kinds: Sequence[Fault] = faults.ALL) -> None:
        """Let all that may happen happen; then let every voter get an answer."""
        self.admins[0].open_first_polls()
        with ThreadGroup() as threads:
            threads.start(
                partial(self.poll_list.keep_refreshing, threads, self.random_for("poll list")),
                *(partial(admin.run, threads) for admin in self.admins),
                *(
                    partial(self.voters.vote, threads, voter, self.random_for(f"voter {voter}"))
                    for voter in range(VOTERS)
                ),
            )
            random = self.random_for("faults")
            self.injected = faults.inject(self.deployment, kinds, seconds, random)

    def check(self) -> list[str]:
        """Say what is wrong, also after those who left without an answer have come again."""
        found = self.violations() + self._retry_in_doubt() + self.violations()
        late = time.monotonic() + STALE_SECONDS
        while (wrong := wrong_results_shown(self.deployment)) and time.monotonic() < late:
            time.sleep(0.1)
        return list(dict.fromkeys(found + wrong))

    def violations(self) -> list[str]:
        """Say what is wrong as things stand."""
        return violations(self.deployment, self.journal)

    def report(self, found: list[str]) -> str:
        """Return all that one wants to know of a scenario that violated a promise."""
        return "\n".join([str(self), *self.injected, *found])

    def _retry_in_doubt(self) -> list[str]:
        """Let those who left without an answer try again; say which answers are wrong."""
        stored = Stored.read(self.deployment)
        random = self.random_for("again")
        found = []
        for case in [case for case in self.journal.cases if case.is_in_doubt]:
            is_stored = (case.poll["pollId"], case.voter_id) in stored.ballots
            outcome = self.voters.cast(case, case.attempts[0].choices, random)
            expected = {Outcome.COUNTED, Outcome.CLOSED}
            if is_stored:
                expected = (
                    {Outcome.DEDUPED} if case.is_keyed else {Outcome.ALREADY_VOTED, Outcome.CLOSED}
                )
            if outcome not in expected:
                found.append(
                    f"{case.voter_id}, stored: {is_stored}, came again and was told {outcome}"
                )
        return found

    def __str__(self) -> str:
        """Say in a line what there was to see."""
        cases = self.journal.cases
        attempts = sum(len(case.attempts) for case in cases)
        unanswered = sum(case.has_outcome(Outcome.UNKNOWN) for case in cases)
        return (
            f"crash suite, seed {self.seed}: {self.journal.acknowledged} acknowledged votes"
            f" ({attempts} sent, {unanswered} in doubt), {len(self.journal.closed)} polls closed,"
            f" {len(self.injected)} faults"
        )
