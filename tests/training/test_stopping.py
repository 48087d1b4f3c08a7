"""Progress: scikit-learn's rule for when training has stalled."""

import numpy as np

from rnnkit.training.stopping import Progress


def test_stalls_after_more_than_the_allowed_epochs_without_progress():
    progress = Progress(tol=0.1, n_iter_no_change=2)
    values = [1.0, 1.05, 1.05, 1.2, 1.2, 1.2, 1.2]
    assert [progress.update(value, 1) for value in values] == [False] * 6 + [True]
    progress.reset_patience()
    assert not progress.update(1.2, 1)


def test_small_growth_is_remembered_as_the_best_but_is_no_progress():
    progress = Progress(tol=0.1, n_iter_no_change=1)
    assert not progress.update(1.0, 1)
    assert not progress.update(1.06, 2)
    assert progress.best == 1.06
    assert progress.update(1.12, 3)


def test_the_epoch_and_the_weights_of_the_best_value_are_kept():
    progress = Progress(tol=0.0, n_iter_no_change=5)
    weights = np.zeros(2)
    for epoch, value in enumerate((1.0, 3.0, 2.0), 4):
        weights[:] = value
        progress.update(value, epoch, weights)
    assert (progress.best, progress.best_epoch) == (3.0, 5)
    np.testing.assert_array_equal(progress.best_weights, [3.0, 3.0])


def test_no_growth_at_all_is_stalled_even_without_tolerance_to_spare():
    progress = Progress(tol=1e-4, n_iter_no_change=1)
    assert [progress.update(0.0, 1) for _ in range(3)] == [False, False, True]


def test_epochs_without_progress_stall_once_they_held_enough_updates():
    progress = Progress(tol=0.0, n_iter_no_change=1, n_updates_no_change=30, min_updates=20)
    assert not progress.update(1.0, 1, n_updates=10)
    stalled = [progress.update(0.5, 2, n_updates=n) for n in (20, 30, 39, 40)]
    assert stalled == [False, False, False, True]
