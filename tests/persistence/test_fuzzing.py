"""Ten thousand mutated files; `fuzzing.py` as a command loads any number of them."""

import os

import numpy as np
import pytest
from persistence import fuzzing
from persistence.written import content_of

from rnnkit.exceptions import FormatError


def test_ten_thousand_mutated_files_are_refused_or_load():
    found = fuzzing.fuzz(10_000, processes=2)
    assert found.keys() == {"refused", "loaded"}, {
        what: seeds[:3] for what, seeds in found.items() if what not in ("refused", "loaded")
    }
    assert sum(map(len, found.values())) == 10_000
    assert len(found["loaded"]) > 100


def test_seeds_give_the_same_file_again():
    assert fuzzing.mutant(7) == fuzzing.mutant(7)
    assert len({fuzzing.mutant(seed) for seed in range(50)}) > 40


class Planted:
    """What a loader with a bug would do."""

    @staticmethod
    def hang(data):
        while True:
            pass

    @staticmethod
    def allocate(data):
        return np.ones(2**30, np.uint8)

    @staticmethod
    def fail(data):
        raise KeyError("no sentence")

    @staticmethod
    def speak(data):
        raise FormatError("two\nlines")


@pytest.mark.parametrize(
    "bug, outcome",
    [("hang", "hang"), ("allocate", "large allocation"), ("fail", "exception"), ("speak", "text")],
)
def test_a_planted_bug_is_seen(monkeypatch, bug, outcome):
    monkeypatch.setattr(fuzzing, "SECONDS", 0.2)
    monkeypatch.setattr(fuzzing, "FILES", [])
    monkeypatch.setattr(fuzzing, "mutant", lambda seed: content_of())
    monkeypatch.setattr(fuzzing, "load_bytes", getattr(Planted, bug))
    (found,) = fuzzing.fuzz(1)
    assert found.startswith(outcome)


def test_a_crash_is_seen(monkeypatch):
    monkeypatch.setattr(fuzzing, "in_a_process", lambda *_: os.kill(os.getpid(), 9))
    assert list(fuzzing.fuzz(1)) == ["crash, exit code -9"]
