"""The example of a long table runs, is as short as it says and finds what is in its table."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "long_table.py"


def test_a_long_table_is_searched():
    pytest.importorskip("narwhals")
    run = subprocess.run([sys.executable, "-P", str(EXAMPLE)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "n=400" in run.stdout
    accuracy = re.search(r"accuracy of 100 other patients ([\d.]+)", run.stdout)
    assert float(accuracy[1]) > 0.8, run.stdout


def test_it_takes_fewer_than_thirty_lines():
    """From the table to the search; and so does all that is no import."""
    functions = [n for n in ast.parse(EXAMPLE.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert sum(node.end_lineno - node.lineno + 1 for node in functions) < 30
