"""One scene: voters, offices and accidents on two replicas, and what is left of it."""

import time
from collections.abc import Sequence
from functools import partial
from random import Random

from tests.crash import accidents
from tests.crash.accidents import Accident
from tests.crash.board import Board
from tests.crash.journal import Journal, Told
from tests.crash.office import Office
from tests.crash.shift import Shift
from tests.crash.verdict import Stored, faults, misshown
from tests.crash.voters import Voters
from tests.crash.world import World

LINES = 6  # of voters
OFFICES = 2
STALE_SECONDS = 5.0  # so long an answer may be late, with all servers well


class Scene:
    """One performance: voters, offices and accidents, for some seconds, and what is left."""

    def __init__(self, world: World, seed: str) -> None:
        self.world = world
        self.seed = seed
        self.journal = Journal()
        self.board = Board(world.wire, world.ports, self.journal)
        self.voters = Voters(world.wire, self.board, self.journal, world.today)
        self.offices = [
            Office(world.wire, self.board, self.journal, self.dice(f"office {number}"))
            for number in range(OFFICES)
        ]
        self.accidents: list[str] = []

    def dice(self, name: str) -> Random:
        return Random(f"{self.seed} {name}")

    def play(self, seconds: float, hazards: Sequence[Accident] = accidents.ALL) -> None:
        """Let all that may happen happen; then let every voter get an answer."""
        self.offices[0].open_first_polls()
        with Shift() as shift:
            shift.begin(
                partial(self.board.look, shift, self.dice("board")),
                *(partial(office.work, shift) for office in self.offices),
                *(
                    partial(self.voters.vote, shift, line, self.dice(f"line {line}"))
                    for line in range(LINES)
                ),
            )
            dice = self.dice("accidents")
            self.accidents = accidents.strike(self.world, hazards, seconds, dice)

    def verdict(self) -> list[str]:
        """Say what is wrong, also after those who left without an answer have come again."""
        found = self.faults() + self._ask_again() + self.faults()
        late = time.monotonic() + STALE_SECONDS
        while (wrong := misshown(self.world)) and time.monotonic() < late:
            time.sleep(0.1)
        return list(dict.fromkeys(found + wrong))

    def faults(self) -> list[str]:
        """Say what is wrong as things stand."""
        return faults(self.world, self.journal)

    def report(self, found: list[str]) -> str:
        """Return all that one wants to know of a scene in which faults were found."""
        return "\n".join([str(self), *self.accidents, *found])

    def _ask_again(self) -> list[str]:
        """Let those who left without an answer try again; say which answers are wrong."""
        stored = Stored.read(self.world)
        random = self.dice("again")
        found = []
        for case in [case for case in self.journal.cases if case.is_in_doubt]:
            is_stored = (case.poll["pollId"], case.mark) in stored.ballots
            told = self.voters.insist(case, case.attempts[0].choices, random)
            right = {Told.COUNTED, Told.CLOSED}
            if is_stored:
                right = {Told.COUNTED_BEFORE} if case.is_keyed else {Told.HAD_VOTED, Told.CLOSED}
            if told not in right:
                found.append(f"{case.mark}, stored: {is_stored}, came again and was told {told}")
        return found

    def __str__(self) -> str:
        """Say in a line what there was to see."""
        cases = self.journal.cases
        attempts = sum(len(case.attempts) for case in cases)
        unanswered = sum(case.was_told(Told.NOTHING) for case in cases)
        return (
            f"crash suite, seed {self.seed}: {self.journal.acknowledged} acknowledged votes"
            f" ({attempts} sent, {unanswered} in doubt), {len(self.journal.closed)} polls closed,"
            f" {len(self.accidents)} accidents"
        )
