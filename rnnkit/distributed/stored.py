"""Training on sequences that stay in files, in memory that does not grow with their steps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.distributed.agreeing import agreed
from rnnkit.distributed.sources import StoredSequences
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.encoder_decoder.learning import EncoderDecoderLearning
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import training_data
from rnnkit.estimators.hints import hint_at_data
from rnnkit.estimators.language.learning import LanguageLearning
from rnnkit.estimators.parameters.field import values_for
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Inputs, Network
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.training import LBFGS, Share, TrainingData, make_solver
from rnnkit.training.share import JoinedBatch

__all__ = ["OnStored", "StoredInputs", "fit_stored", "refuse"]

SHUFFLED = 4  # blocks whose sequences are shuffled together
HELD = 2 * SHUFFLED  # blocks in memory: a minibatch may begin in those before


def fit_stored(estimator: Any, X: StoredSequences, y: Any, more: dict[str, Any]) -> Any:
    """Fit an estimator on stored sequences; see `rnnkit.distributed.fit`."""
    refuse(estimator)
    y = X.y if y is None else y
    weights, validation_data = more["sample_weight"], more["validation_data"]
    refuse_other_ids(X._ids, y, "y")
    refuse_other_ids(X._ids, weights, "sample_weight")
    told = X, y, weights, None
    cls = type(estimator)
    with learning_watched(estimator, "fit", estimator.max_iter, *told) as (draft, watcher):
        draft.__class__ = type(cls.__name__, (OnStored, cls), {"__module__": cls.__module__})
        try:
            draft._fit(X, y, weights, validation_data, None, watcher)
        finally:
            draft.__class__ = cls
            vars(draft).pop("_stored", None)
    return estimator


def refuse(estimator: Any) -> None:
    """Raise ValueError unless an estimator can be fitted block by block."""
    kind = type(estimator).__name__
    if isinstance(estimator, (LanguageLearning, EncoderDecoderLearning)):
        raise ValueError(f"StoredSequences are no X of {kind}; give its data in memory")
    if isinstance(make_solver(estimator.solver), LBFGS):
        raise ValueError(
            "solver must train in minibatches on StoredSequences, got lbfgs, which looks at all "
            "sequences at once"
        )
    if estimator.early_stopping:
        raise ValueError(
            "early_stopping must be False on StoredSequences, whose sequences are not set aside "
            "one by one; give validation_data, such as X.block(0)"
        )
    if estimator.categorical_features is not None:
        raise ValueError("categorical_features must be None on StoredSequences, which hold numbers")
    if getattr(estimator, "token_dropout", 0):
        raise ValueError(
            "token_dropout must be 0 on StoredSequences, whose tokens are not counted, got "
            f"{estimator.token_dropout!r}"
        )


class _Held:
    """The latest blocks that were read, as a network takes them."""

    def __init__(self, X: StoredSequences, reader: Reader) -> None:
        self._X, self._reader = X, reader
        self._held: OrderedDict[int, Inputs] = OrderedDict()
        self.first_rows = X.offsets[X.bounds]

    def __call__(self, number: int) -> Inputs:
        block = self._held.pop(number, None)
        if block is None:
            if len(self._held) >= HELD:
                self._held.popitem(last=False)
            block = self._reader.inputs(_converted(self._X.block(number), self._reader))
        self._held[number] = block
        return block


class StoredInputs(Inputs):
    """`Inputs` whose rows are read when they are taken."""

    __slots__ = ("_held", "_n_rows")

    def __init__(self, held: _Held, n_rows: int) -> None:
        first = held(0)
        none = np.empty(0, np.intp)
        empty = first.take(none)
        super().__init__(empty.numeric, empty.tokens)
        self._held, self._n_rows = held, n_rows

    def __len__(self) -> int:
        return self._n_rows

    def take(self, rows: np.ndarray, on_backend: Array | None = None) -> Inputs:
        """Return the inputs of some rows, from the blocks that hold them."""
        held = self._held
        blocks = np.searchsorted(held.first_rows, rows, side="right") - 1
        numeric = tokens = None
        if self.numeric is not None:
            numeric = np.empty((len(rows), self.numeric.shape[1]), self.numeric.dtype)
        if self.tokens is not None:
            tokens = np.empty((len(rows), self.tokens.shape[1]), self.tokens.dtype)
        for number in np.unique(blocks).tolist():
            where = np.flatnonzero(blocks == number)
            found = held(number).take(rows[where] - held.first_rows[number])
            if numeric is not None:
                numeric[where] = found.numeric
            if tokens is not None:
                tokens[where] = found.tokens
        return Inputs(numeric, tokens)

    def on(self, backend: Backend) -> Inputs:
        """Return these inputs, which are on the host."""
        if not backend.on_host:
            raise ValueError("device must be 'cpu' or 'reference' on StoredSequences")
        return self


class _Blocks(Share):
    """All sequences as one rank's, visited some blocks at a time."""

    def __init__(self, lengths: np.ndarray, weights: np.ndarray, bounds: np.ndarray) -> None:
        super().__init__(lengths, np.arange(len(lengths)), weights)
        object.__setattr__(self, "_bounds", bounds)

    def minibatches(
        self, offsets: np.ndarray, batch_size: int, rng: np.random.RandomState | None
    ) -> Iterator[JoinedBatch]:
        """Cut shuffled blocks, some of them shuffled together at a time, into minibatches."""
        bounds: np.ndarray = self._bounds  # type: ignore[attr-defined]
        own_place = self.places
        n_blocks = len(bounds) - 1
        order = np.arange(n_blocks) if rng is None else rng.permutation(n_blocks)
        left = np.empty(0, np.intp)
        for start in range(0, n_blocks, SHUFFLED):
            chosen = order[start : start + SHUFFLED]
            fresh = np.concatenate([np.arange(bounds[b], bounds[b + 1]) for b in chosen])
            if rng is not None:
                fresh = rng.permutation(fresh)
            left = np.concatenate([left, fresh])
            is_last = start + SHUFFLED >= n_blocks
            while len(left) >= batch_size or (is_last and len(left)):
                yield self._batch(offsets, left[:batch_size], own_place)
                left = left[batch_size:]


class OnStored:
    """An estimator that trains on `StoredSequences`, for which stand sequences without features."""

    _stored: StoredSequences

    def _read_training(
        self, X: StoredSequences, y: Any, sample_weight: Any, lengths: Any, *, first: bool
    ) -> Any:
        estimator: Any = self
        estimator._refuse_no_targets(y)
        self._stored = X
        if not first:
            estimator._refuse_change(values_for(estimator, "reader"))
            reader, codec = estimator._reader, estimator._codec
            for number in range(X.n_blocks):
                with _told_of_block(X, number):
                    reader.read(estimator, X.block(number))
        else:
            readers = []
            for number, block in enumerate(X.blocks()):
                with _told_of_block(X, number):
                    learnt, sequences, form = Reader.learn(
                        estimator, block, None, per_step=estimator._per_step
                    )
                readers.append(learnt)
                if not number:
                    hint_at_data(estimator, block, form, sequences, stacklevel=7)
            reader = agreed(readers)
        stand_ins = Sequences(np.empty((X.offsets[-1], 0)), X.offsets)
        form = Form("sequences")
        ignore_label = getattr(estimator, "ignore_label", None)
        if not first:
            ignore_label = codec.ignore_label
        if estimator._per_step and isinstance(y, np.ndarray) and len(y) == X.offsets[-1] != len(X):
            y = [y[a:b] for a, b in zip(X.offsets[:-1], X.offsets[1:])]
        targets = estimator._read_targets(y, stand_ins, form, ignore_label)
        if first:
            codec = estimator._learn_codec(targets, None)
        output = estimator._make_output(codec)
        examples = estimator._make_examples(codec, output, stand_ins, form, targets, sample_weight)
        last = None if first else estimator.network_.output
        return reader, codec, estimator._fit_output(output, examples, last), examples

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        parent: Any = super()
        sequences = examples.sequences
        if sequences.n_features:  # validation data, which are in memory
            in_memory: TrainingData = parent._training_data(examples, reader, codec, network)
            return in_memory
        estimator: Any = self
        class_weights = estimator._class_weights(network.output, codec, examples)
        inputs: Any = self._inputs(reader)
        whole = training_data(examples, _Given(inputs), network, class_weights)  # type: ignore[arg-type]
        weights_per_step = network.per_step and not network.output.weights_per_sequence
        weights: np.ndarray = sequences.lengths if weights_per_step else np.ones(len(sequences))
        if whole.weights is not None:
            weights = whole.weights.astype(np.float64)
            weights = weights.mean(axis=1) if weights.ndim == 2 else weights
            if weights_per_step:
                weights = np.add.reduceat(weights, sequences.offsets[:-1])
        share = _Blocks(sequences.lengths, weights.astype(np.float64), self._stored.bounds)
        return TrainingData(inputs, whole.offsets, whole.targets, whole.weights, share)

    def _inputs(self, reader: Reader) -> StoredInputs:
        return StoredInputs(_Held(self._stored, reader), int(self._stored.offsets[-1]))

    def _raw_scores(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        parent: Any = super()
        return self._block_by_block(parent._raw_scores, network, reader, sequences)

    def _decide(self, network: Network, reader: Reader, sequences: Sequences) -> np.ndarray:
        parent: Any = super()
        return self._block_by_block(parent._decide, network, reader, sequences)

    def _block_by_block(
        self, compute: Any, network: Network, reader: Reader, sequences: Sequences
    ) -> np.ndarray:
        if sequences.n_features:
            found: np.ndarray = compute(network, reader, sequences)
            return found
        blocks = (_converted(block, reader) for block in self._stored.blocks())
        joined: np.ndarray = np.concatenate([compute(network, reader, b) for b in blocks])
        return joined


@contextmanager
def _told_of_block(X: StoredSequences, number: int) -> Iterator[None]:
    """Let what is refused of a block say which sequences these are, of several blocks."""
    try:
        yield
    except ValueError as error:
        if X.n_blocks == 1:
            raise
        first, last = X.bounds[number], X.bounds[number + 1] - 1
        raise ValueError(f"In the block of sequences {first} to {last}: {error}") from error


class _Given:
    """Stands in for a reader whose inputs are there already."""

    def __init__(self, inputs: StoredInputs) -> None:
        self._given = inputs

    def inputs(self, sequences: Sequences) -> StoredInputs:
        """Return them."""
        return self._given


def _converted(block: Sequences, reader: Reader) -> Sequences:
    """Return a block as `Reader.learn` reads it."""
    dtype = "tokens" if reader.token_columns else None
    return Sequences.from_any(block, dtype=dtype)
