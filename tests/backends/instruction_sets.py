"""The instruction sets of this machine, with and without what it has beyond their names."""

from contextlib import contextmanager

import rnnkit._core.threads as core
from rnnkit.backends.cpu import isa_available, using_isa


@contextmanager
def using_set(name):
    """Compute with an instruction set; "... without more": with nothing beyond its name."""
    isa, _, hidden = name.partition(" without ")
    core.without_instructions_of_their_own({"": False, "more": True}.get(hidden, hidden))
    try:
        with using_isa(isa):
            yield
    finally:
        core.without_instructions_of_their_own(False)


def multiplied_by(name):
    """What multiplies bfloat16 there."""
    with using_set(name):
        return core.multiplies_bfloat16()


SETS = [*isa_available(), *(f"{i} without more" for i in isa_available() if i.startswith("avx"))]
if "avx512" in SETS and multiplied_by("avx512") == "tiles":
    SETS.append("avx512 without avx512amx")
