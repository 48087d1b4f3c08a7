"""An estimator that is one of several ranks: each has a part of X, all have y and come to one fit.

A rank has the steps of its own partitions, and of all sequences how long they are, their targets
and their weights. So whatever follows from y (classes, scales, weights of classes, the split of an
early stopping, the order of an epoch) every rank finds by itself, with the bits of one machine.
What follows from X is learnt from each part and then agreed on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnnkit.distributed.agreeing import agreed
from rnnkit.distributed.collective import AllReduce
from rnnkit.distributed.joining import join
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.encoder_decoder.learning import EncoderDecoderLearning
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import training_data
from rnnkit.estimators.hints import hint_at_data
from rnnkit.estimators.language.learning import LanguageLearning
from rnnkit.estimators.parameters.field import values_for
from rnnkit.estimators.reader import Reader
from rnnkit.network import Inputs, Network
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.ids import Ids, refuse_other_ids
from rnnkit.training import FitResult, Share, TrainingData, TrainingState

__all__ = [
    "OnRank",
    "OnRankOfTexts",
    "Piece",
    "Progress",
    "Ranks",
    "as_rank",
    "on_its_own",
    "with_before",
]


@dataclass(eq=False)
class Piece:
    """A partition: its number among all, and what it holds; None where nothing was given."""

    number: int
    X: Any
    y: Any = None
    sample_weight: Any = None
    lengths: Any = None
    ids: Ids | None = None

    def __sizeof__(self) -> int:
        """Return the bytes of all that it holds, by which dask decides what to keep in memory."""
        parts = (self.X, self.y, self.sample_weight, self.lengths)
        return object.__sizeof__(self) + sum(map(_bytes_of, parts))


def _bytes_of(part: Any) -> int:
    if part is None:
        return 0
    if isinstance(part, np.ndarray) and part.dtype != object:
        return part.nbytes  # also of one number repeated, which a copy writes out
    if isinstance(part, Sequences):
        return int(part.values.nbytes + part.offsets.nbytes)
    from dask.sizeof import sizeof

    n_bytes: int = sizeof(part)
    return n_bytes


@dataclass(eq=False)
class Progress:
    """Where a training stood at the end of an epoch, and its curves so far."""

    state: TrainingState
    losses: list[float]
    validation_losses: list[float] | None
    validation_scores: list[float] | None


@dataclass(eq=False)
class Ranks:
    """What a rank knows of all of them; the `_ranks` of its estimator.

    Parameters
    ----------
    communicator : AllReduce
    y, sample_weight
        Of all sequences where they were given whole, else None.
    before : Progress, default=None
        Where an earlier training stood that is to go on.
    """

    communicator: AllReduce
    y: Any = None
    sample_weight: Any = None
    before: Progress | None = None
    # What reading finds out.
    own: Sequences | None = None  # the steps of this rank's sequences
    own_place: np.ndarray = field(default_factory=lambda: np.empty(0, np.intp))  # of each, or -1
    weights: np.ndarray | None = None  # of all training targets

    @property
    def state(self) -> TrainingState | None:
        """Where training goes on, or None."""
        return None if self.before is None else self.before.state


def as_rank(estimator: Any, ranks: Ranks) -> Any:
    """Make an estimator, which nobody else has, one of several ranks; return it."""
    cls = type(estimator)
    # Their targets are what X itself says, or sequences of another length.
    needs_all = isinstance(estimator, (LanguageLearning, EncoderDecoderLearning))
    mixin = OnRankOfTexts if needs_all else OnRank
    estimator.__class__ = type(cls.__name__, (mixin, cls), {"__module__": cls.__module__})
    estimator._ranks = ranks
    return estimator


def on_its_own(estimator: Any) -> Any:
    """Make an estimator that was a rank an ordinary one again; return it."""
    estimator.__class__ = type(estimator).__bases__[1]
    vars(estimator).pop("_ranks", None)
    return estimator


class OnRankOfTexts:
    """A rank that has all data, which are small beside what is computed of them.

    It computes every so-manieth sequence of each minibatch.
    """

    _ranks: Ranks

    def _part_of(self, sequences: Sequences) -> tuple[np.ndarray, Sequences]:
        """Return which of the sequences this rank computes, and their steps."""
        ranks = self._ranks.communicator
        places = np.arange(ranks.rank, len(sequences), ranks.n_ranks)
        return places, sequences[places]

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        whole = super()._training_data(examples, reader, codec, network)  # type: ignore[misc]
        ranks = self._ranks.communicator
        lengths = examples.sequences.lengths
        places = np.arange(ranks.rank, len(lengths), ranks.n_ranks)
        rows = _rows(examples.sequences.offsets, places)
        self._keep_weights(whole)
        return _part(whole, whole.inputs.take(rows), lengths, places, network, ranks.rank)

    def _keep_weights(self, whole: TrainingData) -> None:
        """Keep the weights of all training targets, the first that are asked for."""
        if self._ranks.weights is None:
            self._ranks.weights = whole.weights

    def _read_training(
        self, X: list[Piece], y: Any, sample_weight: Any, lengths: Any, *, first: bool, **more: Any
    ) -> Any:
        gathered = self._ranks.communicator.gather(X)
        pieces = sorted((p for of_rank in gathered for p in of_rank), key=lambda p: p.number)
        whole: dict[str, Any] = {
            name: join([getattr(piece, name) for piece in pieces], name)
            for name in ("X", "y", "sample_weight", "lengths")
        }
        ranks = self._ranks
        y = whole["y"] if ranks.y is None else ranks.y
        weights = whole["sample_weight"] if ranks.sample_weight is None else ranks.sample_weight
        return super()._read_training(  # type: ignore[misc]
            whole["X"], y, weights, whole["lengths"], first=first, **more
        )

    def _record(
        self,
        reader: Reader,
        codec: Codec,
        network: Network,
        result: FitResult,
        n_sequences: int,
        *,
        anew: bool,
    ) -> None:
        result = with_before(result, self._ranks.before)
        super()._record(  # type: ignore[misc]
            reader, codec, network, result, n_sequences, anew=anew
        )


class OnRank(OnRankOfTexts):
    """A rank that has the steps of its own sequences alone.

    For the others stand sequences without features, as long as those are, whose ids are their
    numbers; where one computes with them, it is with the rank's own.
    """

    def _read_training(
        self, X: list[Piece], y: Any, sample_weight: Any, lengths: Any, *, first: bool, **more: Any
    ) -> Any:
        estimator: Any = self
        ranks = self._ranks
        pieces = [piece for piece in X if len(piece.X)]
        own_X = join([piece.X for piece in pieces], "X") if pieces else None
        own_lengths = join([piece.lengths for piece in pieces], "lengths") if pieces else None
        sequences: Sequences | None = None
        form: Form | None = None
        if not first:
            estimator._refuse_change(values_for(estimator, "reader"))
            reader = estimator._reader
            if own_X is not None:
                sequences, form = reader.read(estimator, own_X, own_lengths)
            known = [f for f in ranks.communicator.gather(form) if f is not None]
        else:
            reader = None
            if own_X is not None:
                reader, sequences, form = Reader.learn(
                    estimator, own_X, own_lengths, per_step=estimator._per_step
                )
            told = ranks.communicator.gather(None if reader is None else (reader, form))
            learnt = [r for r in told if r is not None]
            if not learnt:
                raise ValueError("X has no sequences: all partitions are empty")
            reader = agreed([r for r, _ in learnt])
            known = [f for _, f in learnt]
            if own_X is not None and reader.labels:  # whose ids are those of all parts' labels
                sequences, form = reader.read(estimator, own_X, own_lengths)
        if not known:
            raise ValueError("X has no sequences: all partitions are empty")
        if sequences is None:
            sequences = Sequences(np.empty((0, reader.n_step_features), reader.dtype), [0])
        joined_y, weights, all_sequences = self._join_targets(pieces, sequences)
        joined_form = replace(known[0], ids=None)
        ignore_label = getattr(estimator, "ignore_label", None)
        estimator._refuse_no_targets(joined_y)
        if not first:
            codec, ignore_label = estimator._codec, estimator._codec.ignore_label
        targets = estimator._read_targets(joined_y, all_sequences, joined_form, ignore_label)
        if first:
            codec = estimator._learn_codec(targets, None)
        output = estimator._make_output(codec)
        examples = estimator._make_examples(
            codec, output, all_sequences, joined_form, targets, weights
        )
        if first and own_X is not None and form is not None and ranks.communicator.rank == 0:
            hint_at_data(estimator, own_X, form, sequences, stacklevel=1)
        last = None if first else estimator.network_.output
        return reader, codec, estimator._fit_output(output, examples, last), examples

    def _join_targets(
        self, pieces: list[Piece], sequences: Sequences
    ) -> tuple[Any, Any, Sequences]:
        """Return y and weights of all ranks, and stand-ins of all sequences; keep what is own."""
        ranks = self._ranks
        start, own_lengths = 0, sequences.lengths
        whole = {"y": ranks.y, "sample_weight": ranks.sample_weight}
        asks_ids = any(given is not None for given in whole.values())
        told = []
        for piece in pieces:
            n = len(piece.X)
            if isinstance(piece.X, Sequences):
                refuse_other_ids(piece.X, piece.y, "y")
                refuse_other_ids(piece.X, piece.sample_weight, "sample_weight")
            for name in ("y", "sample_weight"):
                given = getattr(piece, name)
                if given is not None and len(given) != n:
                    raise ValueError(
                        f"partition {piece.number} of X has {n} sequences, but that of {name} "
                        f"has {len(given)}"
                    )
            told.append(
                Piece(
                    piece.number,
                    None,
                    _plain(piece.y),
                    _plain(piece.sample_weight),
                    own_lengths[start : start + n],
                    piece.X._ids if asks_ids and isinstance(piece.X, Sequences) else None,
                )
            )
            start += n
        gathered = ranks.communicator.gather(told)
        owners = [(p, rank) for rank, of_rank in enumerate(gathered) for p in of_rank]
        owners.sort(key=lambda pair: pair[0].number)
        lengths = np.concatenate([piece.lengths for piece, _ in owners])
        names = [piece.ids for piece, _ in owners if len(piece.lengths)]
        if names and None not in names:
            of_all = Ids(np.concatenate([ids.values for ids in names if ids is not None]))
            for name, given in whole.items():
                refuse_other_ids(of_all, given, name)
        rank_of = np.repeat([rank for _, rank in owners], [len(p.lengths) for p, _ in owners])
        own = np.flatnonzero(rank_of == ranks.communicator.rank)
        ranks.own = sequences
        ranks.own_place = np.full(len(lengths), -1, np.intp)
        ranks.own_place[own] = np.arange(len(own))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        stand_ins = Sequences(np.empty((offsets[-1], 0)), offsets, np.arange(len(lengths)))
        y = ranks.y if ranks.y is not None else join([p.y for p, _ in owners], "y")
        weights = ranks.sample_weight
        if weights is None:
            weights = join([p.sample_weight for p, _ in owners], "sample_weight")
        return y, weights, stand_ins

    def _part_of(self, sequences: Sequences) -> tuple[np.ndarray, Sequences]:
        own = self._ranks.own
        if own is None or sequences.n_features or sequences.ids is None:
            return super()._part_of(sequences)  # data that every rank has
        local = self._ranks.own_place[sequences.ids]
        places = np.flatnonzero(local >= 0)
        local, lengths = local[places], sequences.lengths[places]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if np.array_equal(offsets, own.offsets) and np.array_equal(local, np.arange(len(own))):
            return places, own
        rows = np.arange(offsets[-1]) + np.repeat(own.offsets[local] - offsets[:-1], lengths)
        return places, Sequences(own.values[rows], offsets)

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        estimator: Any = self
        class_weights = estimator._class_weights(network.output, codec, examples)
        nothing: Any = _NoInputs()
        whole = training_data(examples, nothing, network, class_weights)
        self._keep_weights(whole)
        places, sequences = self._part_of(examples.sequences)
        inputs, lengths = reader.inputs(sequences), examples.sequences.lengths
        rank = self._ranks.communicator.rank
        return _part(whole, inputs, lengths, places, network, rank)

    def _decide(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        per_step = network.targets_per_step
        return self._from_all(super()._decide, network, reader, sequences, per_step)  # type: ignore[misc]

    def _raw_scores(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        scores_of = super()._raw_scores  # type: ignore[misc]
        return self._from_all(scores_of, network, reader, sequences, network.per_step)

    def _from_all(
        self, compute: Any, network: Network, reader: Reader, sequences: Sequences, per_step: bool
    ) -> np.ndarray:
        """Compute a row for each sequence or step, every rank those of its part."""
        places, own = self._part_of(sequences)
        rows = compute(network, reader, own) if len(own) else None
        result: np.ndarray | None = None
        for other_places, other_rows in self._ranks.communicator.gather((places, rows)):
            if other_rows is None:
                continue
            if result is None:
                n = int(sequences.offsets[-1]) if per_step else len(sequences)
                result = np.empty((n, *other_rows.shape[1:]), other_rows.dtype)
            where = _rows(sequences.offsets, other_places) if per_step else other_places
            result[where] = other_rows
        assert result is not None  # there is a sequence
        return result


class _NoInputs:
    """Stands in for a reader where the steps of X are not at hand."""

    def inputs(self, sequences: Sequences) -> Inputs:
        return Inputs(sequences.values)


def _rows(offsets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the steps of some sequences, one sequence after the other."""
    lengths = np.diff(offsets)[places]
    ends = np.cumsum(lengths)
    rows: np.ndarray = np.arange(ends[-1] if len(ends) else 0)
    rows += np.repeat(offsets[places] - (ends - lengths), lengths)
    return rows


def _part(
    whole: TrainingData,
    inputs: Inputs,
    lengths: np.ndarray,
    places: np.ndarray,
    network: Network,
    rank: int,
) -> TrainingData:
    """Return the part of training data that is a rank's, whose inputs are given."""
    rows = _rows(whole.offsets, places)
    weights_per_step = network.per_step and not network.output.weights_per_sequence
    of_sequences, own_weights = lengths if weights_per_step else np.ones(len(lengths)), None
    if whole.weights is not None:
        of_targets = whole.weights.astype(np.float64)
        if of_targets.ndim == 2:
            of_targets = of_targets.mean(axis=1)
        of_sequences = of_targets
        if weights_per_step:
            of_sequences = np.add.reduceat(of_targets, whole.offsets[:-1])
        own_weights = whole.weights[rows if weights_per_step else places]
    targets = whole.targets[rows if network.targets_per_step else places]
    offsets = np.concatenate([[0], np.cumsum(lengths[places])])
    share = Share(lengths, places, of_sequences.astype(np.float64), rank)
    return TrainingData(inputs, offsets, targets, own_weights, share)


def _plain(given: Any) -> Any:
    """Return a column of a frame as the array that it is."""
    return given.to_numpy() if hasattr(given, "to_numpy") else given


def with_before(result: FitResult, before: Progress | None) -> FitResult:
    """Return the result of a training that went on, as if it had never stopped."""
    if before is None:
        return result

    def curve(earlier: list[float] | None, later: list[float] | None) -> list[float] | None:
        return None if earlier is None and later is None else (earlier or []) + (later or [])

    losses = before.losses + result.loss_curve
    return replace(
        result,
        n_epochs=len(losses),
        loss_curve=losses,
        validation_losses=curve(before.validation_losses, result.validation_losses),
        validation_scores=curve(before.validation_scores, result.validation_scores),
    )
