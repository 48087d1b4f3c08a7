"""Rules of a random field: their scores, what breaks them, lengths that they leave no labels."""

import itertools

import numpy as np
import pytest

from rnnkit.network.transitions import (
    ForbiddenLabelsError,
    check_labellings,
    check_lengths,
    rules_of,
)

RULES = ((None, 2), (0, 1), (1, None), (2, 2))


def legal(path, forbidden):
    return not set(forbidden) & set(itertools.pairwise([None, *path, None]))


def random_rules(rng, n_labels):
    places = [*range(n_labels), None]
    pairs = [p for p in itertools.product(places, places) if p != (None, None)]
    return tuple(pair for pair in pairs if rng.rand() < 0.5)


def test_scores():
    transitions, start, end = rules_of(RULES, 3)
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[2, 2] = -np.inf
    np.testing.assert_array_equal(transitions, expected)
    np.testing.assert_array_equal(start, [0, 0, -np.inf])
    np.testing.assert_array_equal(end, [0, -np.inf, 0])


def test_labels_that_break_a_rule_are_told_by_place():
    cases = [
        ([0, 2, 0], [1, 2], (1, 0, None, 2)),
        ([0, 0, 1, 0], [1, 3], (1, 1, 0, 1)),
        ([0, 1], [1, 1], (1, 1, 1, None)),
        ([0, 1, 0, 1], [0, 1, 0, 3], (3, 2, 0, 1)),
        ([0, 2, 2], [3], (0, 2, 2, 2)),
    ]
    for labels, lengths, place in cases:
        with pytest.raises(ForbiddenLabelsError) as raised:
            check_labellings(np.array(labels), np.array(lengths), RULES, 3)
        error = raised.value
        assert (error.sequence, error.step, error.before, error.after) == place
    check_labellings(np.array([0, 0, 2]), np.array([0, 1, 2, 0]), RULES, 3)
    check_labellings(np.empty(0, int), np.array([0]), RULES, 3)


@pytest.mark.parametrize("seed", range(30))
def test_against_all_labellings(seed):
    rng = np.random.RandomState(seed)
    rules = random_rules(rng, 3)
    for n_steps in (1, 2, 3, 4, 5):
        paths = list(itertools.product(range(3), repeat=n_steps))
        allowed = [legal(path, rules) for path in paths]
        for path, is_allowed in zip(paths, allowed):
            labels, lengths = np.array([*path, *path]), np.array([n_steps, n_steps])
            if is_allowed:
                check_labellings(labels, lengths, rules, 3)
            else:
                with pytest.raises(ForbiddenLabelsError):
                    check_labellings(labels, lengths, rules, 3)
        if any(allowed):
            check_lengths(np.array([0, n_steps]), rules, 3)
        else:
            with pytest.raises(ValueError, match=f"no labelling of a sequence of {n_steps} step"):
                check_lengths(np.array([0, n_steps]), rules, 3)


def test_lengths_that_come_and_go():
    """Labels that must take turns allow even lengths alone."""
    turns = ((0, 0), (1, 1), (None, 1), (0, None))
    check_lengths(np.array([2, 4, 1000]), turns, 2)
    for n_steps in (1, 3, 999):
        with pytest.raises(ValueError, match=f"of {n_steps} steps?$"):
            check_lengths(np.array([n_steps, 1000]), turns, 2)
