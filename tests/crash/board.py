"""The notice board: which polls are listed as open, and where one may vote."""

from random import Random

from tests.crash.journal import Journal
from tests.crash.shift import Shift
from tests.crash.wire import Json, Wire
from tests.support.api import walk

LOOK_SECONDS = 0.15


class Board:
    """The polls of today as some replica listed them last; it may be late, as any page is."""

    def __init__(self, wire: Wire, ports: list[int], journal: Journal) -> None:
        self._wire = wire
        self._journal = journal
        self.ports = ports
        self.polls: list[Json] = []
        self.day = ""
        self.hot = ""  # the template that most people vote in

    def some(self, number: int, random: Random) -> list[Json]:
        """Return the hot poll and some others; less if fewer are listed."""
        polls = self.polls
        hot = [poll for poll in polls if poll["templateId"] == self.hot]
        others = [poll for poll in polls if poll not in hot]
        return hot + random.sample(others, min(number - len(hot), len(others)))

    def refresh(self, port: int) -> None:
        """Look what a replica lists; keep what is known if it doesn't say."""
        answer = self._wire.send(port, "GET", "/polls/today")
        if answer is not None and answer.status == 200:
            polls = list(walk(answer.body["data"]["categories"]))
            self.polls = [poll for poll in polls if poll["options"]]
            if len(self.polls) < len(polls):
                self._journal.complaints.append("a poll was listed without its options")
            self.day = answer.body["data"]["pollDate"]

    def look(self, shift: Shift, random: Random) -> None:
        """Keep up with what is listed. Whoever looks first after midnight opens the new day."""
        while not shift.over.wait(LOOK_SECONDS):
            self.refresh(random.choice(self.ports))
