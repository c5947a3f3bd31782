"""The scripts that the Makefile calls."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

VERSION = "3.98"  # is on no machine


def find_python(root: Path) -> str:
    environment = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "PYENV_ROOT": str(root)}
    command = [str(ROOT / "scripts/find-python"), VERSION]
    found = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
    return found.stdout.strip()


@pytest.mark.parametrize("place", [f"bin/python{VERSION}", f"versions/{VERSION}.4/bin/python"])
def test_python_of_a_version_is_found_if_it_works(tmp_path: Path, place: str) -> None:
    assert find_python(tmp_path) == ""
    python = tmp_path / place
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 127\n")  # as pyenv's shims answer for what is not chosen
    python.chmod(0o755)
    assert find_python(tmp_path) == ""

    python.unlink()
    python.symlink_to(sys.executable)

    assert find_python(tmp_path) == str(python)
