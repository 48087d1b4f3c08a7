"""The first look at a GPU runs through on what stands in for one, and sees what is wrong there."""

import importlib.util
from pathlib import Path

import pytest
from gpu.conftest import require_compiler
from gpu.cupy_stand_in import standing_in

PATH = Path(__file__).parents[2] / "benchmarks" / "look_at_gpu.py"


@pytest.fixture
def look(monkeypatch):
    """The script with sizes for a host, whose launches are run and not timed."""
    require_compiler()
    spec = importlib.util.spec_from_file_location("look_at_gpu", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROUNDS", 3)
    monkeypatch.setattr(module, "TEAMS", (("cluster", 1), ("cluster", 2), ("grid", 4)))
    monkeypatch.setattr(module, "LAYERS", ((5, 3, 20),))
    monkeypatch.setattr(module, "FITS", (("cluster", 16), ("grid", 16)))
    monkeypatch.setattr(module, "milliseconds", lambda run, n=1: run() or 1.0)
    with standing_in():
        yield module


@pytest.mark.parametrize("part", ("facts", "waits", "results", "graphs"))
def test_every_part_runs_through(look, capsys, part):
    assert look.main(["--parts", part]) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    assert f"-- {part}:" in printed
    assert not any(word in printed for word in ("WRONG", "OTHER", "refused")), printed
    if part == "results":
        assert printed.count(" right ") == 12
    if part == "graphs":
        assert printed.count("the same losses") == 2


def test_a_wrong_result_is_seen(look, capsys, monkeypatch):
    right = look.passes

    def wrong(backend, *arguments):
        found = right(backend, *arguments)
        if backend.xp is not look.np:
            found["dx"] = found["dx"] * 1.001
        return found

    monkeypatch.setattr(look, "passes", wrong)
    assert look.main(["--parts", "results"]) == 0
    assert "WRONG dx" in capsys.readouterr().out
