"""A result as a picture, in SVG: bars, and for the rounds of a ranked count a Sankey diagram.

A picture is a pure function of the result: the same bytes for the same counts, no script, no font
and no link. It follows light and dark by itself, on paper of its own, since a page that shows it
as an image may be of the other kind.
"""

import textwrap
from xml.etree import ElementTree as ET

from allthing.results.charts import bars, data, sankey
from allthing.results.charts.palette import add_palette
from allthing.results.charts.svg import FONT_SIZE, NAMESPACE, element, label, width, write

MARGIN = 20.0
LINE = 17.0
HEADING_LINE = 22.0
GAP = 6.0
HEADING_SIZE = 16 / FONT_SIZE * 1.1  # as a part of what `width` measures; it is bold as well


def draw(result: data.Result) -> str:
    """Draw a result that is in the contract's form (`GET /polls/{id}/results`) as an SVG."""
    known = data.read(result)
    root = ET.Element("svg", xmlns=NAMESPACE)
    add_words(root, known)
    add_palette(root, known.prefix)
    element(root, "rect", class_="paper", width="100%", height="100%")
    body = element(root, "g")
    # One round moves no ballot; its bars say it better.
    diagram = sankey if len(known.rounds) > 1 else bars
    wide, high = diagram.draw(body, known)
    y = MARGIN
    for line in wrap(known.result["title"], wide / HEADING_SIZE):
        y += HEADING_LINE
        label(root, line, MARGIN, y - GAP, style="heading")
    label(root, data.subtitle(known), MARGIN, y + LINE - GAP / 2, style="soft")
    y += 2 * LINE
    body.set("transform", f"translate({write(MARGIN)} {write(y)})")
    y += high + LINE
    for line in [line for note in data.notes(known) for line in wrap(note, wide)]:
        label(root, line, MARGIN, y, style="soft")
        y += LINE
    set_size(root, wide + 2 * MARGIN, y)
    return ET.tostring(root, encoding="unicode") + "\n"


def add_words(root: ET.Element, known: data.ChartData) -> None:
    """Add what a screen reader says in place of the picture."""
    names = [f"{known.prefix}-title", f"{known.prefix}-desc"]
    root.attrib |= {"role": "img", "aria-labelledby": " ".join(names)}
    element(root, "title", f"Result: {known.result['title']}", id=names[0])
    element(root, "desc", data.description(known), id=names[1])


def wrap(text: str, room: float) -> list[str]:
    """Break a text into lines of at most `room` pixels, if its letters are spread evenly."""
    return textwrap.wrap(text, max(1, int(room * len(text) / max(1, width(text)))))


def set_size(root: ET.Element, wide: float, high: float) -> None:
    """Make the picture as large as what it shows, and let it shrink with the page."""
    root.attrib |= {
        "viewBox": f"0 0 {write(wide)} {write(high)}",
        "width": write(wide),
        "height": write(high),
    }
