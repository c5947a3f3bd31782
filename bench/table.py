"""The table: what is measured, and what is asked of it. Each function returns some of its rows."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median

from bench import pgbench
from bench.ballots import seed, settle
from bench.polls import JSON_BODY, TODAY, Client, Json, results, send, votes
from bench.rounds import Pace, Row, interleave, ratios
from bench.stage import Product, baseline, ranked, record, single
from bench.voter import voting
from bench.wrk import CONNECTIONS, Load, Request, load

POLLS = 10
VOTES_PER_SECOND = 50
WORKER = "allthing.runtime.gunicorn_worker.Worker"
BUSY_VOTERS = 8  # connections that vote as fast as they get answers


@dataclass(frozen=True)
class Contest:
    """The product with some polls of today, and baselines that give the same answers."""

    product: Product
    polls: Sequence[Json]
    flask: str
    raw: str
    flask_in_our_worker: str
    pace: Pace

    def compare(self, cells: Mapping[str, Callable[[], Load]]) -> dict[str, list[Load]]:
        """Load each cell in turn."""
        interleave(cells, self.pace.warm_ups)
        return interleave(cells, self.pace.rounds)

    def reading(self, base: str, request: Request, **headers: str) -> Callable[[], Load]:
        """Return a cell that sends a GET and wants good answers only."""
        return lambda: flawless(load(base, [request], self.pace.seconds, headers=headers))

    def voting(self, *polls: Json) -> Callable[[], Load]:
        """Return a cell that votes in the product, and then looks whether the ballots are there."""

        def cell() -> Load:
            before = self.product.count_ballots()
            done = flawless(
                load(self.product.url, votes(*polls), self.pace.seconds, headers=JSON_BODY)
            )
            time.sleep(0.3)  # the last votes are under way when the load ends
            stored = self.product.count_ballots() - before
            if not 0 <= stored - done.answers <= CONNECTIONS:
                raise RuntimeError(f"{done.answers} votes acknowledged, {stored} stored")
            return done

        return cell

    def voting_in_bare_flask(self) -> Load:
        vote = votes(self.polls[0])[:1]
        return flawless(load(self.flask, vote, self.pace.seconds, headers=JSON_BODY))


def flawless(done: Load) -> Load:
    if done.errors or not done.answers:
        raise RuntimeError(f"{done.errors} of {done.answers} answers were errors")
    return done


@contextmanager
def contest(product: Product, polls: Sequence[Json], pace: Pace) -> Iterator[Contest]:
    """Start the baselines; the first of the polls is the hot one."""
    hot = polls[0]
    answers = record(product.url, TODAY, results(hot), votes(hot)[0])
    with (
        baseline("flask_app", answers) as flask,
        baseline("raw_app", answers) as raw,
        baseline("flask_app", answers, worker=WORKER) as flask_in_our_worker,
    ):
        yield Contest(product, polls, flask, raw, flask_in_our_worker, pace)


def divided(
    name: str,
    above: Sequence[Load],
    below: Sequence[Load],
    floor: float | None = None,
    aim: float | None = None,
) -> Row:
    """Make a row of two cells' answers per second."""
    ours, theirs = [done.rate for done in above], [done.rate for done in below]
    measured = f"{median(ours):,.0f} / {median(theirs):,.0f} per s"
    return Row(name, ratios(ours, theirs), floor, aim, measured=measured)


def today(contest: Contest) -> list[Row]:
    """Measure GET today, whole and unchanged, against the same bytes by bare Flask and WSGI."""
    ours = contest.product.url
    etag = send(ours, TODAY).header("ETag")
    unchanged = {"If-None-Match": etag}
    if send(ours, TODAY, unchanged).status != 304:
        raise RuntimeError("today is not answered 304")
    taken = contest.compare(
        {
            "today": contest.reading(ours, TODAY),
            "unchanged": contest.reading(ours, TODAY, **unchanged),
            "flask": contest.reading(contest.flask, TODAY),
            "raw": contest.reading(contest.raw, TODAY),
            "in our worker": contest.reading(contest.flask_in_our_worker, TODAY),
        }
    )
    return [
        divided("GET today ÷ bare Flask", taken["today"], taken["flask"], 0.75, 0.90),
        divided("GET today, 304 ÷ bare Flask's 200", taken["unchanged"], taken["flask"]),
        divided("GET today ÷ bare Flask in our worker", taken["today"], taken["in our worker"]),
        divided("GET today ÷ raw WSGI", taken["today"], taken["raw"]),
        divided(
            "our gunicorn worker ÷ gthread, bare Flask", taken["in our worker"], taken["flask"]
        ),
    ]


def hot_results(contest: Contest) -> list[Row]:
    """Measure the results of a poll that is being voted on, all the while."""
    hot = contest.polls[0]
    with voting(contest.product.url, votes(hot), VOTES_PER_SECOND) as cast:
        start = time.monotonic()
        taken = contest.compare(
            {
                "results": contest.reading(contest.product.url, results(hot)),
                "flask": contest.reading(contest.flask, results(hot)),
            }
        )
        pace = len(cast) / (time.monotonic() - start)
    name = f"GET results, poll voted on {pace:.0f} times a second ÷ bare Flask"
    return [divided(name, taken["results"], taken["flask"], 0.55, 0.85)]


def calm(contest: Contest) -> list[Row]:
    """Measure the slowest of a hundred GETs of today while there are votes, and without."""
    ours = contest.product.url
    read = contest.reading(ours, TODAY)

    def among_votes() -> Load:
        with voting(ours, votes(contest.polls[0]), VOTES_PER_SECOND):
            return read()

    def among_busy_voters() -> Load:
        with ThreadPoolExecutor() as pool:
            cast = votes(contest.polls[0]), contest.pace.seconds
            voters = pool.submit(load, ours, *cast, headers=JSON_BODY, connections=BUSY_VOTERS)
            done = read()
            flawless(voters.result())
            return done

    taken = contest.compare({"alone": read, "votes": among_votes, "busy": among_busy_voters})
    p99 = {name: [done.p99 for done in loads] for name, loads in taken.items()}

    def row(name: str, cell: str, **targets: float) -> Row:
        measured = f"{median(p99[cell]):.1f} / {median(p99['alone']):.1f} ms"
        return Row(name, ratios(p99[cell], p99["alone"]), lower=True, measured=measured, **targets)

    name = "GET today p99 with {} ÷ alone"
    return [
        row(name.format(f"{VOTES_PER_SECOND} votes a second"), "votes", floor=2, aim=1.5),
        row(name.format(f"{BUSY_VOTERS} voters without a pause"), "busy"),
    ]


def vote(contest: Contest, scripts: Sequence[str]) -> list[Row]:
    """Measure votes in one poll and in ten, against bare Flask, and PostgreSQL by itself."""
    hot, *_ = contest.polls
    database = contest.product.database_url

    def in_pgbench() -> Load:
        seconds = contest.pace.seconds
        return Load(round(pgbench.run(database, scripts, seconds) * seconds), 0, seconds, 0)

    taken = contest.compare(
        {
            "one": contest.voting(hot),
            "ten": contest.voting(*contest.polls[:POLLS]),
            "flask": contest.voting_in_bare_flask,
            "pgbench": in_pgbench,
        }
    )
    return [
        divided(
            "POST vote, one hot poll ÷ bare Flask POST", taken["one"], taken["flask"], 0.33, 0.45
        ),
        divided("POST vote ÷ pgbench of the same SQL", taken["one"], taken["pgbench"], 0.20, 0.30),
        divided("votes in one hot poll ÷ in ten", taken["one"], taken["ten"], 0.85, 0.95),
    ]


def counting(product: Product, pace: Pace) -> list[Row]:
    """Measure results that have to be counted, each after a vote, in big polls and small ones."""
    kinds = {
        "SINGLE": (single("Single", 6), False),
        "RANKED, as voters vote": (ranked("Ranked", 6), False),
        "RANKED, all rankings alike": (ranked("Ranked evenly", 6), True),
    }
    small = product.open_polls(*(kind for kind, _ in kinds.values()))
    big = product.open_polls(*(kind for kind, _ in kinds.values()))
    for few, many, (_, uniform) in zip(small, big, kinds.values(), strict=True):
        seed(product, few, pace.small, uniform=uniform)
        seed(product, many, pace.big, uniform=uniform)
    settle(product)
    return [grown(product, *polls, pace) for polls in zip(kinds, small, big, strict=True)]


def grown(product: Product, kind: str, few: Json, many: Json, pace: Pace) -> Row:
    cells = {
        "few": partial(counted_read, product, few, pace.reads),
        "many": partial(counted_read, product, many, pace.reads),
    }
    interleave(cells, 1)
    taken = interleave(cells, pace.rounds)
    name = f"results at {pace.big:,} ballots ÷ at {pace.small:,}, counted anew, {kind}"
    measured = f"{median(taken['many']):.2f} / {median(taken['few']):.2f} ms"
    return Row(name, ratios(taken["many"], taken["few"]), 1.5, 1.2, lower=True, measured=measured)


def counted_read(product: Product, poll: Json, reads: int) -> float:
    """Return the median milliseconds of results that no cache can know: a vote went before each."""
    taken = []
    with closing(Client(product.url)) as client:
        total = client.send(results(poll)).json["data"]["totalBallots"]
        for vote in islice(cycle(votes(poll)), reads):
            client.send(vote)
            start = time.perf_counter()
            answer = client.send(results(poll))
            taken.append((time.perf_counter() - start) * 1000)
            if answer.json["data"]["totalBallots"] != total + len(taken):
                raise RuntimeError("the vote before is not in the results")
    return median(taken)
