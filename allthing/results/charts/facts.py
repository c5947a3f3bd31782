"""What a picture shows of a result: whose bars, how they are named, and what is said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
Totals = Mapping[str, int]


@dataclass(frozen=True)
class Facts:
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


def read(result: Result) -> Facts:
    """Take from a result, in the contract's form, what a picture needs."""
    options = result["options"]
    winner, is_closed = result["winnerOptionId"], result["status"] == "CLOSED"
    return Facts(
        result=result,
        labels={option["optionId"]: option["label"] for option in options},
        places={option["optionId"]: place for place, option in enumerate(options)},
        best=frozenset(result["tied"] if winner is None else [winner]),
        mark="tie" if winner is None else "winner" if is_closed else "ahead",
        prefix=f"poll-{result['pollId']}",
    )


def subtitle(facts: Facts) -> str:
    """Say what kind of count this is, of how many ballots and of which day."""
    kind = "Ranked choice" if facts.result["pollType"] == "RANKED" else "Single choice"
    so_far = "" if facts.is_closed else " so far"
    return f"{kind} · {ballots(facts.cast)}{so_far} · {facts.result['pollDate']}"


def notes(facts: Facts) -> list[str]:
    """Say what the reader of the picture should know besides."""
    result, said = facts.result, []
    if result.get("lotDecisive"):
        said.append(
            "A draw decided this: had it fallen otherwise, the end could have been another."
        )
    elif result.get("decidedByLot"):
        said.append("A tie for fewest was drawn; however it had fallen, the end is the same.")
    preferred = result.get("condorcetWinner")
    if preferred is not None and preferred not in facts.best:
        name = facts.labels[preferred]
        said.append(f"Compared in pairs, more ballots prefer {name} to each other option.")
    return said


def told(facts: Facts) -> str:
    """Tell the whole result in words, for those who don't see the picture."""
    if not facts.cast:
        return f"{subtitle(facts)}. No ballots. Options: {', '.join(facts.labels.values())}."
    sentences = [entry["text"] for entry in facts.rounds]
    for row in facts.result.get("results", []):
        mark = f" ({facts.mark})" if row["optionId"] in facts.best else ""
        sentences.append(f"{row['label']}{mark}: {ballots(row['count'])}, {row['percentage']}%.")
    return " ".join([f"{subtitle(facts)}.", *sentences, *notes(facts)])


def ballots(number: int) -> str:
    return f"{number:,} ballot{'' if number == 1 else 's'}"
