"""Measure the speed table, and write docs/performance.md after a whole run.

The servers are its own; one that runs already is not touched. A whole run takes about ten minutes,
in which the machine should have nothing else to do.
"""

import argparse
import sys
import time

from bench import pgbench, table
from bench.footprint import holding, memory, starting
from bench.growth import QUICK_SIZES, SIZES, Size, measure
from bench.report import write
from bench.rounds import FULL, QUICK, Pace, Row
from bench.stage import product, servers, single
from bench.table import contest
from bench.wrk import wrk
from tests.support.postgres import PostgresServer
from tests.support.served import ROOT

REPORT = ROOT / "docs" / "performance.md"
GROWTH = Pace(rounds=2, seconds=2, big=0, reads=20)


class Run:
    """One run of the benchmark on its own servers."""

    def __init__(self, postgres: PostgresServer, redis_url: str, pace: Pace) -> None:
        self.postgres = postgres
        self.redis_url = redis_url
        self.pace = pace

    def traffic(self) -> list[Row]:
        """Measure reads and votes on a day of ten polls."""
        database = self.postgres.create_database("traffic")
        with product(database, self.redis_url) as ours:
            polls = ours.open_polls(*(single(f"Poll {n}") for n in range(table.POLLS)))
            [apart] = ours.open_polls(single("For pgbench"))
            scripts = pgbench.scripts(self.postgres.url, database, self.redis_url, apart)
            footprint = memory(ours, polls[-1])
            with contest(ours, polls, self.pace) as rivals:
                return [
                    *table.today(rivals),
                    *table.hot_results(rivals),
                    *table.vote(rivals, scripts),
                    *table.calm(rivals),
                    *footprint,
                ]

    def counts(self) -> list[Row]:
        with product(self.postgres.create_database("counts"), self.redis_url) as ours:
            return table.counting(ours, self.pace)

    def holds(self) -> list[Row]:
        return holding(self.postgres.create_database("holds"), self.redis_url, self.pace.rounds)

    def starts(self) -> list[Row]:
        return starting()

    def growth(self) -> list[Size]:
        quick = self.pace == QUICK
        grown = []
        for ballots, polls in QUICK_SIZES if quick else SIZES:
            with product(self.postgres.create_database("growth"), self.redis_url) as ours:
                grown.append(measure(ours, ballots, polls, QUICK if quick else GROWTH))
        return grown


PARTS = {"traffic": Run.traffic, "counts": Run.counts, "holds": Run.holds, "starts": Run.starts}
GROWTH_PART = "growth"


def main() -> None:
    arguments = parse()
    wrk()  # say at once if it can't be had
    start = time.monotonic()
    pace = QUICK if arguments.quick else FULL
    rows: list[Row] = []
    sizes: list[Size] = []
    with servers() as (postgres, redis_url):
        run = Run(postgres, redis_url, pace)
        for part in arguments.parts:
            if part == GROWTH_PART:
                sizes = run.growth()
            else:
                rows += PARTS[part](run)
            print(f"{part} done after {time.monotonic() - start:.0f} s", file=sys.stderr)
    report = write(rows, sizes, pace, minutes=(time.monotonic() - start) / 60)
    if pace == FULL and rows and sizes:
        REPORT.write_text(report)
    print(report)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    every = [*PARTS, GROWTH_PART]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(every)}; all")
    parser.add_argument(
        "--quick", action="store_true", help="a minute or so, noisy; print, write nothing"
    )
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or (list(PARTS) if arguments.quick else every)
    if unknown := set(arguments.parts) - set(every):
        parser.error(f"no such part: {', '.join(unknown)}")
    return arguments


if __name__ == "__main__":
    main()
