"""The lines that mutants spoil are there, so that the script plants what it says."""

import ast

import pytest
from mutants import kernel, python
from mutants.mutant import ROOT

MUTANTS = (*kernel.MUTANTS, *python.MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_its_file(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    planted = mutant.planted(text)
    assert planted != text
    if not mutant.is_compiled:
        ast.parse(planted)
    assert all((ROOT / test).exists() for test in mutant.tests)


def test_names_differ_and_there_are_many():
    names = [(mutant.file, mutant.name) for mutant in MUTANTS]
    assert len(set(names)) == len(names)
    assert len(python.MUTANTS) >= 60
