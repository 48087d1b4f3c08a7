"""The scripts of tests/ that people are told to run begin, whatever is on the path."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOLD = (ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "bench_reliability.py")
SCRIPTS = sorted(
    {
        script
        for file in TOLD
        for script in re.findall(r"python (tests/[\w/]+\.py)", file.read_text(encoding="utf-8"))
    }
)


def test_scripts_are_named():
    assert len(SCRIPTS) >= 4, SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_begins(script):
    command = [sys.executable, script, "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "usage" in run.stdout
