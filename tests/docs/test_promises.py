"""Every promise that the documentation makes names a test that exists."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "promises.rst"


def test_every_promise_names_a_test():
    held = re.findall(r"^   ``([\w/]+\.py)::(\w+)``$", PAGE.read_text(), re.MULTILINE)
    assert len(held) > 40
    for file, name in held:
        assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), (file, name)
