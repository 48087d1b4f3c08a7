"""Collections of dask as pieces on workers: what a partition is, and which worker has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from rnnkit.distributed.ranks import Piece
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = ["Frame", "Pieces", "is_lazy", "make_piece", "partitions_of"]


@dataclass(frozen=True)
class Frame:
    """How a long frame is read; see `rnnkit.sequences.Sequences.from_frame`."""

    group: Any
    sort: Any = None
    columns: Any = None
    target: Any = None
    target_per: str = "sequence"


def is_lazy(data: Any) -> bool:
    """Whether data lie in partitions: a collection of dask, or delayed objects or futures."""
    import dask
    from distributed import Future

    if dask.is_dask_collection(data) or isinstance(data, Future):
        return True
    return (
        isinstance(data, (list, tuple))
        and len(data) > 0
        and all(isinstance(item, Future) or dask.is_dask_collection(item) for item in data)
    )


def partitions_of(data: Any) -> list[Any]:
    """Return the partitions of lazy data, as delayed objects or futures."""
    from dask import delayed

    if isinstance(data, (list, tuple)):
        return list(data)
    if hasattr(data, "chunks") and hasattr(data, "rechunk"):  # an array
        whole = data.rechunk(dict.fromkeys(range(1, data.ndim), -1)) if data.ndim > 1 else data
        return list(whole.to_delayed().ravel())
    if hasattr(data, "to_delayed"):
        parts = list(data.to_delayed())
        if hasattr(data, "dtype") or hasattr(data, "dtypes"):  # a series or a frame
            return parts
        return [delayed(list)(part) for part in parts]  # of a bag, which may be iterators
    return [data]


@dataclass(eq=False)
class Pieces:
    """The pieces of a data set, as what makes them.

    Parameters
    ----------
    X, y, sample_weight, lengths
        As `rnnkit.distributed.fit` takes them.
    frame : Frame or None
        How X is read if it is a long frame.

    Raises
    ------
    ValueError
        If numbers of partitions differ.
    """

    X: Any
    y: Any
    sample_weight: Any
    lengths: Any
    frame: Frame | None
    whole: dict[str, Any] = field(default_factory=dict)  # of y and sample_weight, in memory

    def planned(self, client: Any, workers: list[str]) -> list[Any]:
        """Return the pieces as delayed objects; data in memory are cut into one for each worker."""
        from dask import delayed

        make = delayed(make_piece, pure=False)
        columns: dict[str, list[Any]] = {}
        X = self.X
        given = {"y": self.y, "sample_weight": self.sample_weight, "lengths": self.lengths}
        if is_lazy(X):
            columns["X"] = partitions_of(X)
            for name, data in given.items():
                if data is None:
                    continue
                if is_lazy(data):
                    columns[name] = partitions_of(_aligned(data, X))
                elif name == "lengths":
                    raise ValueError("lengths must be partitioned as X is, got data in memory")
                else:
                    self.whole[name] = data
        else:
            n = len(X)
            if not n:
                raise ValueError("X has no sequences")
            bounds = np.linspace(0, n, min(len(workers), n) + 1).astype(int)
            cuts = [slice(a, b) for a, b in pairwise(bounds)]
            columns["X"] = [
                client.scatter([_cut(X, cut)], workers=[worker], hash=False)[0]
                for cut, worker in zip(cuts, workers)
            ]
            for name, data in given.items():
                if is_lazy(data):
                    raise ValueError(f"{name} must be in memory as X is, got {type(data).__name__}")
                refuse_other_ids(X, data, name)
                if data is not None and name == "lengths":
                    columns[name] = [data[cut] for cut in cuts]
                elif data is not None:
                    self.whole[name] = data
        n = len(columns["X"])
        for name, parts in columns.items():
            if len(parts) != n:
                raise ValueError(
                    f"X has {n} partitions, but {name} has {len(parts)}; cut {name} as X is cut"
                )
        if not n:
            raise ValueError("X has no partitions")
        return [
            make(number, self.frame, **{name: parts[number] for name, parts in columns.items()})
            for number in range(n)
        ]


def make_piece(number: int, frame: Frame | None, X: Any, **columns: Any) -> Piece:
    """Return a piece of its parts, a long frame as sequences."""
    if frame is None or isinstance(X, Sequences):
        return Piece(number, X, **columns)
    if not len(X):
        return Piece(number, [])
    read = Sequences.from_frame(
        X,
        frame.group,
        frame.sort,
        frame.columns,
        frame.target,
        target_per=None if frame.target is None else frame.target_per,
    )
    sequences, y = (read, None) if frame.target is None else read
    return Piece(number, sequences, y)


def _cut(X: Any, cut: slice) -> Any:
    return X.iloc[cut] if hasattr(X, "iloc") else X[cut]


def _aligned(data: Any, X: Any) -> Any:
    """Return an array cut along its first axis as X is, where both are arrays of known size."""
    chunks, of_X = getattr(data, "chunks", None), getattr(X, "chunks", None)
    if chunks is None or of_X is None or chunks[0] == of_X[0]:
        return data
    if sum(chunks[0]) != sum(of_X[0]):  # or not known
        return data
    return data.rechunk({0: of_X[0]})
