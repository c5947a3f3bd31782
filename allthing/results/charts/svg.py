"""SVG elements, numbers and texts as XML can hold them, and texts cut to fit.

A picture is drawn before any font is known, so how wide a text becomes is an estimate, and a
generous one: the fonts of people's systems differ by a tenth.
"""

import re
import unicodedata
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.w3.org/2000/svg"
FONT_SIZE = 12.0
ELLIPSIS = "…"

# XML 1.0 has no way to write these, escaped or not.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
NARROW = frozenset("ijlftrI.,:;'!|()[] ")
BROAD = frozenset("mwMW@%")


def element(
    parent: ET.Element, name: str, text: str | None = None, /, **attributes: str | float
) -> ET.Element:
    """Add an element; the attribute `class` is given as `class_`."""
    written = {key.rstrip("_"): write(value) for key, value in attributes.items()}
    child = ET.SubElement(parent, name, written)
    child.text = None if text is None else write(text)
    return child


def write(value: str | float) -> str:
    """Write a text without what XML can't hold, or a number to the hundredth of a pixel."""
    if isinstance(value, str):
        return UNWRITABLE.sub("", value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def label(
    parent: ET.Element,
    text: str,
    x: float,
    y: float,
    *,
    room: float = 0,
    after: str = "",
    style: str = "",
) -> None:
    """Write one line: a text, and what comes `after` it whichever way the text is read.

    A text that is wider than `room` is cut, and stands whole in a `<title>`.
    """
    short = shorten(text, room) if room else text
    line = element(parent, "text", x=x, y=y, **({"class_": style} if style else {}))
    if short != text:
        element(line, "title", text)
    element(line, "tspan", short, class_="name").tail = write(after)


def shorten(text: str, room: float) -> str:
    """Return `text`, cut and with an ellipsis if it is wider than `room` pixels."""
    if width(text) <= room:
        return text
    left = room - width(ELLIPSIS)
    for place, character in enumerate(text):
        left -= width(character)
        if left < 0:
            return text[:place].rstrip() + ELLIPSIS
    return text


def width(text: str) -> float:
    """Estimate how many pixels wide a text is."""
    return FONT_SIZE * sum(map(em, text))


def em(character: str) -> float:
    """Estimate how wide a character is, as a part of the font's size."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in NARROW:
        return 0.38
    if character in BROAD:
        return 0.92
    return 0.7 if character.isupper() else 0.6
