"""What the documentation points at is there: files, and the tests that hold what it promises."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = {
    str(path.relative_to(ROOT)): path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
}
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
FILE = re.compile(r"`((?:allthing|bench|docs|migrations|scripts|tests)/(?:[\w./-]+(?:\.\w+|/))?)`")
TEST = re.compile(r"`(?:tests/)?([\w/]+\.py)::(\w+)`")
HAZARD = re.compile(r"^\| ([FBS]\d+) \|.*$", re.MULTILINE)


def functions_of(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text())) if file.exists() else []
    return {node.name for node in tree if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_what_a_document_names_is_there(name: str) -> None:
    document = DOCUMENTS[name]
    text = document.read_text()
    links = {link for link in LINK.findall(text) if not (document.parent / link).exists()}
    files = {file for file in FILE.findall(text) if not (ROOT / file).exists()}
    tests = {
        f"{file}::{test}"
        for file, test in TEST.findall(text)
        if test not in functions_of(ROOT / "tests" / file)
    }

    # Decisions and the change log tell of their day; what they link to may not vanish.
    past = name == "CHANGELOG.md" or name.startswith("docs/decisions/")
    assert links | (set() if past else files) | tests == set()


def test_every_hazard_has_a_test() -> None:
    rows = list(HAZARD.finditer(DOCUMENTS["docs/hazards.md"].read_text()))

    assert len(rows) > 100
    assert [row[1] for row in rows if not TEST.search(row[0])] == []
