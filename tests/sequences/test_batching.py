"""Minibatches gather the right steps and visit every sequence once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.sequences import batch_of, minibatches

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=20)


def flat(lengths):
    """Return offsets, and values that name their own sequence and step."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.array([(i, t) for i, length in enumerate(lengths) for t in range(length)])
    return offsets, values


def check_batch(batch, lengths, values):
    x = values[batch.rows]
    plan = batch.plan
    assert plan.lengths.tolist() == [lengths[i] for i in batch.sequences]
    assert x[:, 0].tolist() == batch.sequences[plan.sequence_of_row()].tolist()
    for t in range(plan.n_steps):
        assert (x[plan.step_offsets[t] : plan.step_offsets[t + 1], 1] == t).all()


@given(LENGTHS, st.integers(1, 25), st.one_of(st.none(), st.integers(0, 100)))
def test_every_sequence_is_visited_once(lengths, batch_size, seed):
    offsets, values = flat(lengths)
    rng = None if seed is None else np.random.RandomState(seed)
    batches = list(minibatches(offsets, batch_size, rng))
    visited = np.concatenate([batch.sequences for batch in batches])
    assert sorted(visited.tolist()) == list(range(len(lengths)))
    sizes = [len(batch.sequences) for batch in batches]
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    for batch in batches:
        check_batch(batch, lengths, values)


def test_without_rng_the_order_is_kept():
    offsets, _ = flat([2, 2, 2, 2, 2])
    visited = [batch.sequences.tolist() for batch in minibatches(offsets, 2)]
    assert visited == [[0, 1], [2, 3], [4]]


def test_the_shuffle_is_the_generators():
    offsets, _ = flat([2] * 30)
    first, again = (
        [batch.sequences.tolist() for batch in minibatches(offsets, 7, np.random.RandomState(3))]
        for _ in range(2)
    )
    other = [
        batch.sequences.tolist() for batch in minibatches(offsets, 7, np.random.RandomState(4))
    ]
    assert first == again
    assert first != other


def test_batch_of_chosen_sequences():
    lengths = [3, 1, 4, 2]
    offsets, values = flat(lengths)
    batch = batch_of(offsets, np.array([3, 0, 2]))
    assert batch.sequences.tolist() == [2, 0, 3]
    check_batch(batch, lengths, values)


def test_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        next(minibatches(np.array([0, 1]), 0))
