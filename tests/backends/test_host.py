"""What the backends on the host have in common."""

import numpy as np
import pytest

from rnnkit.backends import get_backend


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_nothing_is_copied_to_and_fro(name):
    backend, array = get_backend(name), np.arange(3.0)
    assert backend.on_host
    assert backend.upload(array) is array
    assert backend.download(array) is array
    assert backend.from_host(lambda: array) is array
