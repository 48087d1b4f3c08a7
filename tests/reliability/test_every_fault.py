"""Every number of the table has its check, and a check can fail."""

import pytest
from reliability import (
    test_inputs,
    test_kept_models,
    test_parameters,
    test_processes,
    test_training,
)
from reliability.faults import N_FAULTS, Faults, refused

TABLES = (test_inputs, test_kept_models, test_parameters, test_processes, test_training)


def test_every_fault_has_a_check():
    numbers = [number for table in TABLES for number in table.fault.checks]
    assert sorted(numbers) == list(range(1, N_FAULTS + 1))


def test_a_fault_that_nobody_refuses_is_seen():
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refused(ValueError, "", len, [])
    with pytest.raises(AssertionError):
        refused(ValueError, "other words", int, "a")


def test_a_number_is_given_once():
    faults = Faults()
    faults(1, "one")(lambda: None)
    with pytest.raises(AssertionError):
        faults(1, "again")(lambda: None)
