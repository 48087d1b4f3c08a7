"""What two objects have that is not the same, wherever it lies in them."""

import functools
import math

import numpy as np

# What pickles of a loaded estimator may lack: where a training stands is kept on request.
TRAINING = {"_trainer", "_training_state", "_trained_with"}


def differences(a, b, place="it", without=TRAINING):
    """Return the places where two objects differ: in type, in bits, or in an attribute."""
    if type(a) is not type(b):
        return [f"{place}: {type(a).__name__} and {type(b).__name__}"]
    inside = functools.partial(differences, without=without)
    if isinstance(a, np.ndarray):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return [f"{place}: {a.dtype} {a.shape} and {b.dtype} {b.shape}"]
        if a.dtype == object:
            return inside(a.ravel().tolist(), b.ravel().tolist(), place)
        return [] if a.tobytes() == b.tobytes() else [f"{place}: other bits"]
    if isinstance(a, dict):
        if list(a) != list(b):
            return [f"{place}: keys {list(a)} and {list(b)}"]
        return [d for key in a for d in inside(a[key], b[key], f"{place}[{key!r}]")]
    if isinstance(a, (list, tuple)) and not hasattr(a, "_fields"):
        if len(a) != len(b):
            return [f"{place}: {len(a)} and {len(b)} entries"]
        return [d for i, pair in enumerate(zip(a, b)) for d in inside(*pair, f"{place}[{i}]")]
    if hasattr(a, "columns") and hasattr(a, "shape"):
        return inside([list(a.columns), a.shape], [list(b.columns), b.shape], place)
    if isinstance(a, np.random.RandomState):
        return inside(a.get_state(legacy=False), b.get_state(legacy=False), place)
    if isinstance(a, np.random.Generator):
        return inside(a.bit_generator.state, b.bit_generator.state, place)
    if isinstance(a, (np.datetime64, np.timedelta64)):
        return inside(np.asarray(a), np.asarray(b), place)
    if isinstance(a, (float, np.floating)):
        return [] if a == b or (math.isnan(a) and math.isnan(b)) else [f"{place}: {a!r} and {b!r}"]
    if hasattr(a, "__dict__") and not isinstance(a, type):
        va, vb = ({k: v for k, v in vars(o).items() if k not in without} for o in (a, b))
        if va.keys() != vb.keys():
            return [f"{place}: the attributes {sorted(va.keys() ^ vb.keys())} are in one alone"]
        return [d for name in va for d in inside(va[name], vb[name], f"{place}.{name}")]
    return [] if a == b else [f"{place}: {a!r} and {b!r}"]
