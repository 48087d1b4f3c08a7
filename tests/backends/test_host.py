"""What the backends on the host have in common."""

import numpy as np
import pytest

from rnnkit._core import updates
from rnnkit.backends import get_backend, reference
from rnnkit.backends.rules import UPDATE_RULES


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_nothing_is_copied_to_and_fro(name):
    backend, array = get_backend(name), np.arange(3.0)
    assert backend.on_host
    assert backend.upload(array) is array
    assert backend.download(array) is array
    assert backend.from_host(lambda: array) is array


def test_every_rule_has_its_arithmetic():
    assert tuple(reference.UPDATES) == tuple(updates.RULES) == UPDATE_RULES
