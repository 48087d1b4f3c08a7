"""README's example runs, and its two commands are what continuous integration runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_example_runs(code):
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["model"].predict([[0.85, 0.8, 0.9, 0.7], [0.2, 0.1]]).tolist() == ["high", "low"]


def test_there_is_an_example():
    assert blocks("python")


@pytest.mark.parametrize(
    "command", ["pip install . && python examples/quickstart.py", 'pip install ".[test]" && pytest']
)
def test_commands_are_those_of_the_continuous_integration(command):
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert f"{command}\n" in blocks("bash")
    assert command in ci
