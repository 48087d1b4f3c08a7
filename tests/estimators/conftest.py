"""What several tests of estimators set up."""

import pytest

from rnnkit.estimators import fitting


@pytest.fixture
def patience_in_epochs(monkeypatch):
    """Let a fit of a few epochs end by `tol` and `n_iter_no_change` alone."""
    monkeypatch.setattr(fitting, "N_UPDATES_NO_CHANGE", 0)
    monkeypatch.setattr(fitting, "MIN_UPDATES", 0)
