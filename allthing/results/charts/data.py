"""The data of a chart: whose bars, how they are named, and what is said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
Totals = Mapping[str, int]


@dataclass(frozen=True)
class ChartData:
    """A poll's result, in the order of its ballot.

    `best` are those that win or tie, and `mark` is what they are; `prefix` begins the ids of the
    picture, for a page may show several.
    """

    result: Result
    labels: Mapping[str, str]
    places: Mapping[str, int]
    best: frozenset[str]
    mark: str
    prefix: str

    @property
    def is_closed(self) -> bool:
        return bool(self.result["status"] == "CLOSED")

    @property
    def cast(self) -> int:
        return int(self.result["totalBallots"])

    @property
    def rounds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.result.get("rounds", [])
        return found


def read(result: Result) -> ChartData:
    """Take from a result, in the contract's form, what a picture needs."""
    options = result["options"]
    winner, is_closed = result["winnerOptionId"], result["status"] == "CLOSED"
    return ChartData(
        result=result,
        labels={option["optionId"]: option["label"] for option in options},
        places={option["optionId"]: place for place, option in enumerate(options)},
        best=frozenset(result["tied"] if winner is None else [winner]),
        mark="tie" if winner is None else "winner" if is_closed else "ahead",
        prefix=f"poll-{result['pollId']}",
    )


def subtitle(data: ChartData) -> str:
    """Say what kind of count this is, of how many ballots and of which day."""
    kind = "Ranked choice" if data.result["pollType"] == "RANKED" else "Single choice"
    so_far = "" if data.is_closed else " so far"
    return f"{kind} · {ballots(data.cast)}{so_far} · {data.result['pollDate']}"


def notes(data: ChartData) -> list[str]:
    """Say what the reader of the picture should know besides."""
    result, said = data.result, []
    if result.get("lotDecisive"):
        said.append(
            "A draw decided this: had it fallen otherwise, the end could have been another."
        )
    elif result.get("decidedByLot"):
        said.append("A tie for fewest was drawn; however it had fallen, the end is the same.")
    preferred = result.get("condorcetWinner")
    if preferred is not None and preferred not in data.best:
        name = data.labels[preferred]
        said.append(f"Compared in pairs, more ballots prefer {name} to each other option.")
    return said


def description(data: ChartData) -> str:
    """Tell the whole result in words, for those who don't see the picture."""
    if not data.cast:
        return f"{subtitle(data)}. No ballots. Options: {', '.join(data.labels.values())}."
    sentences = [entry["text"] for entry in data.rounds]
    for row in data.result.get("results", []):
        mark = f" ({data.mark})" if row["optionId"] in data.best else ""
        sentences.append(f"{row['label']}{mark}: {ballots(row['count'])}, {row['percentage']}%.")
    return " ".join([f"{subtitle(data)}.", *sentences, *notes(data)])


def ballots(number: int) -> str:
    return f"{number:,} ballot{'' if number == 1 else 's'}"
