"""The forecasting benchmark goes on where it stopped, and says which goals are met."""

import importlib.util
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "benchmarks" / "bench_forecast.py"
SPEC = importlib.util.spec_from_file_location("bench_forecast", FILE)
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)


def test_pieces_are_measured_once_and_kept(tmp_path):
    path = tmp_path / "pieces.json"
    calls = []

    def measure():
        calls.append(1)
        return {"error": 0.5}

    pieces = bench.Pieces(path, None)
    assert pieces.measured(("airline", 3, 0, "naive"), measure) == {"error": 0.5}
    again = bench.Pieces(path, 1e-9)  # no time is left for anything else
    assert again.measured(("airline", 3, 0, "naive"), measure) == {"error": 0.5}
    assert again.measured(("airline", 3, 1, "naive"), measure) is None
    assert (len(calls), again.n_left) == (1, 1)


def test_points_lie_at_the_end_and_tell_nothing():
    y = np.arange(100.0)
    found = list(bench.points_of(y, 10, 3))
    assert [len(past) for past, _ in found] == [80, 85, 90]
    assert all(
        np.array_equal(np.append(past, future), y[: len(past) + 10]) for past, future in found
    )


def test_goals_are_judged(capsys):
    row = {"own": 1.0, "naive": 1.3, "AutoETS": 0.99, "SARIMAX": 0.9, "inside": 0.76}
    other = {**row, "AutoETS": 0.9}
    bench.print_goals([row, other], {"AutoETS": None, "SARIMAX": None})
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line.split()[-1] for line in lines[1:]]
    assert verdicts == ["met", "met", "MISSED", "met"]
    assert "1 of 2" in lines[2]
