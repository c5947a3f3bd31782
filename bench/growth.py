"""Growth: the same questions to an instance with more ballots, or with more polls a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.ballots import seed, settle
from bench.polls import TODAY
from bench.rounds import Pace, interleave, ratios, short
from bench.stage import Product, ranked, single
from bench.table import contest, counted_read, hot_results

SIZES = ((1_000, 10), (100_000, 10), (1_000_000, 10), (1_000, 1_000))
QUICK_SIZES = ((1_000, 10), (20_000, 10), (1_000, 100))
COLUMNS = (
    "ballots in a poll",
    "polls a day",
    "GET today ÷ bare Flask",
    "GET results, hot ÷ bare Flask",
    "POST vote ÷ bare Flask",
    "votes per s",
    "results counted anew, SINGLE",
    "the same, RANKED",
)


@dataclass(frozen=True)
class Size:
    """How big an instance is, and what was measured there (medians)."""

    ballots: int
    polls: int
    today: float
    results: float
    vote: float
    votes_per_second: float
    single_milliseconds: float
    ranked_milliseconds: float


def measure(product: Product, ballots: int, polls: int, pace: Pace) -> Size:
    """Fill an empty instance to a size, and measure there."""
    hot, ranking, *others = product.open_polls(
        single("Hot"), ranked("Ranked"), *(single(f"Poll {n}") for n in range(polls - 2))
    )
    for poll in (hot, ranking):
        seed(product, poll, ballots)
    settle(product)
    with contest(product, [hot, ranking, *others], pace) as rivals:
        taken = rivals.compare(
            {
                "today": rivals.reading(product.url, TODAY),
                "bare today": rivals.reading(rivals.flask, TODAY),
                "vote": rivals.voting(hot),
                "bare vote": rivals.voting_in_bare_flask,
            }
        )
        [hot_row] = hot_results(rivals)
        reads = interleave(
            {p["pollType"]: partial(counted_read, product, p, pace.reads) for p in (hot, ranking)},
            pace.rounds,
        )
    rate = {name: [done.rate for done in loads] for name, loads in taken.items()}
    return Size(
        ballots,
        polls,
        median(ratios(rate["today"], rate["bare today"])),
        median(hot_row.values),
        median(ratios(rate["vote"], rate["bare vote"])),
        median(rate["vote"]),
        median(reads["SINGLE"]),
        median(reads["RANKED"]),
    )


def growth_table(sizes: Sequence[Size]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|--:" * len(COLUMNS) + "|"]
    for size in sizes:
        counts = (f"{size.ballots:,}", f"{size.polls:,}")
        measured = (size.today, size.results, size.vote, size.votes_per_second)
        times = (size.single_milliseconds, size.ranked_milliseconds)
        cells = (*counts, *map(short, measured), *(f"{short(time)} ms" for time in times))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
