"""What is read off a picture: its lines of text, its bars, and the ribbons between them."""

import re
from xml.etree import ElementTree as ET

import pytest

NS = "{http://www.w3.org/2000/svg}"


def texts(picture: ET.Element) -> list[str]:
    """Return the lines that are written in a picture, without what only a pointer shows."""
    return [
        "".join(t for part in text.iter(f"{NS}tspan") for t in (part.text or "", part.tail or ""))
        for text in picture.iter(f"{NS}text")
    ]


def bars(picture: ET.Element, size: str) -> dict[str, float]:
    """Return each bar's length by its title, which says what it is and ends with its ballots."""
    found = (bar for bar in picture.iter(f"{NS}rect") if bar.get("class", "").startswith("bar"))
    return {bar.findtext(f"{NS}title", ""): float(bar.get(size, "")) for bar in found}


def ballots_in(title: str) -> int:
    return int(re.search(r"([\d,]+) ballots?$", title)[1].replace(",", ""))


def ribbons(picture: ET.Element) -> list[tuple[str, str, int, float]]:
    """Return who hands how many ballots to whom, and how high the ribbon is."""
    found = []
    for path in picture.iter(f"{NS}path"):
        if path.get("class", "").startswith("moves"):
            source, heir = path.findtext(f"{NS}title", "").rsplit(":", 1)[0].split(" → ")
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("d", ""))]
            leaves, arrives = numbers[-1] - numbers[1], numbers[8] - numbers[7]
            assert leaves == pytest.approx(arrives, abs=0.02)
            found.append((source, heir, ballots_in(path.findtext(f"{NS}title", "")), leaves))
    return found
