"""Which polls are listed as open, and where one may vote."""

from random import Random

from tests.crash.http_client import HTTPClient, Json
from tests.crash.journal import Journal
from tests.crash.threads import ThreadGroup
from tests.support.api import walk

REFRESH_SECONDS = 0.15


class PollList:
    """The polls of today as some replica listed them last; it may be late, as any page is."""

    def __init__(self, client: HTTPClient, ports: list[int], journal: Journal) -> None:
        self._client = client
        self._journal = journal
        self.ports = ports
        self.polls: list[Json] = []
        self.day = ""
        self.hot_template = ""  # the template that most people vote in

    def sample(self, number: int, random: Random) -> list[Json]:
        """Return the hot poll and some others; less if fewer are listed."""
        polls = self.polls
        hot = [poll for poll in polls if poll["templateId"] == self.hot_template]
        others = [poll for poll in polls if poll not in hot]
        return hot[:number] + random.sample(others, min(number - len(hot[:number]), len(others)))

    def refresh(self, port: int) -> None:
        """Ask a replica what it lists; keep what is known if it doesn't say."""
        answer = self._client.send(port, "GET", "/polls/today")
        if answer is not None and answer.status == 200:
            polls = list(walk(answer.body["data"]["categories"]))
            self.polls = [poll for poll in polls if poll["options"]]
            if len(self.polls) < len(polls):
                self._journal.unexpected.append("a poll was listed without its options")
            self.day = answer.body["data"]["pollDate"]

    def keep_refreshing(self, threads: ThreadGroup, random: Random) -> None:
        """Keep up with what is listed. Whoever asks first after midnight opens the new day."""
        while not threads.stop.wait(REFRESH_SECONDS):
            self.refresh(random.choice(self.ports))
