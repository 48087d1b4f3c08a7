"""What a language model is constructed with, and how it learns texts.

Letters: N documents, n stretches, T tokens, K ids, S numbers of a context, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import Codec
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import trains_in_minibatches
from rnnkit.estimators.language.contexts import Contexts
from rnnkit.estimators.language.likelihood import log_likelihoods
from rnnkit.estimators.language.reading import contexts_of, reader_of, weights_of
from rnnkit.estimators.language.stretches import (
    Laid,
    TextExamples,
    cut,
    lay_out,
    sequences_of,
    with_contexts,
)
from rnnkit.estimators.language.texts import KINDS, Texts, read_texts
from rnnkit.estimators.language.vocabulary import Vocabulary
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.field import (
    FRACTION,
    RATE,
    Widths,
    fixed,
    integer,
    like,
    parameter,
    parameters,
    values_for,
)
from rnnkit.estimators.parameters.training import TrainingParameters
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import moderate
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Network, NextToken, Output
from rnnkit.sequences.numbers import cast
from rnnkit.training import Trainer, TrainingData, Validation

__all__ = ["LanguageLearning"]


@parameters
@fixed(
    bidirectional=False,
    step_features=1,
    categorical_features=None,
    embedding_init=None,
    embedding_trainable=True,
    n_tokens=None,
    static="state",
    static_features=None,
    spelling_columns=0,
    character_dim=16,
    character_hidden_size=32,
    input_noise=0.0,
    convolutions=None,
    convolution_join="before",
    monitor="score",
    validation_split="random",
)
class LanguageLearning(RecurrentEstimator):
    """What learns texts: the parameters of a language model, and its training."""

    _attributes: ClassVar[tuple[str, ...]] = (
        "vocabulary_",
        *(name for name in RecurrentEstimator._attributes if "features" not in name),
    )
    _per_step: ClassVar[bool] = True
    _batches_of_an_epoch: ClassVar[int] = 24

    hidden_size: Any = parameter(
        256,
        [integer(1), Widths(1)],
        "int or tuple of int",
        "Hidden units H of every layer; a tuple has an entry for each layer, first to last.",
        part="network",
        positional=True,
    )
    embedding_dim: int = parameter(
        64,
        [integer(1)],
        "int",
        "Width of the table in which the ids of tokens are looked up.",
        part="reader",
    )
    tokens: str = parameter(
        "auto",
        [StrOptions({"auto", *KINDS})],
        '{"auto", "characters", "words", "ids"}',
        'What the tokens of a string are: its characters ("auto"), or the words between white '
        "space. Lists of words and ids are tokens already.",
        part="reader",
    )
    vocabulary: Any = parameter(
        None,
        ["array-like", set, str, None],
        "array-like, str or None",
        "The tokens that the model knows. None: those of the first `fit`.",
        part="reader",
    )
    min_frequency: int = parameter(
        1,
        [integer(1)],
        "int",
        "How often a token must occur in the first `fit` to be known; the others are the unknown. "
        "With 1 no token of the training texts is unknown, and the model does not learn how "
        "probable unknown ones are: 2 is the better choice for words.",
        part="reader",
    )
    document_ends: Any = parameter(
        "auto",
        [StrOptions({"auto"}), "boolean"],
        '"auto" or bool',
        "Whether a text has a beginning and an end of its own, which the model learns, scores and "
        'writes. "auto": the texts of a list do, one text does not. False takes a list for '
        "pieces out of the middle of texts.",
        part="reader",
    )
    tied_embeddings: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether what comes next is scored by the vectors of `embedding_dim` with which tokens are "
        "read (Press & Wolf 2017), behind a linear map where `embedding_dim` is not `hidden_size`.",
        part="network",
    )
    stretch_steps: int = parameter(
        640,
        [integer(1)],
        "int",
        "Tokens at most that are read on end in training; a longer text is cut into stretches of "
        "nearly equal length.",
    )
    bptt_steps: int | None = parameter(
        64,
        [integer(1), None],
        "int or None",
        "Window of truncated backpropagation through time, in tokens; the state is carried "
        "over the cut. None goes back through a whole stretch.",
        part="training",
    )
    batch_size: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1)],
        'int or "auto"',
        'Stretches of a minibatch, read side by side. "auto" is a 24th of all, but at least 8 and '
        "at most 64.",
    )
    dropout: float = parameter(
        0.2,
        [RATE],
        "float",
        "Dropout rate between the layers and before the output.",
        part="network",
    )
    learning_rate: Any = like("learning_rate", TrainingParameters, default="cosine")
    max_iter: int = parameter(
        20,
        [integer(1)],
        "int",
        "Largest number of epochs.",
    )
    early_stopping: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether a part of the training texts is set aside and decides when to stop; the weights "
        "of the best epoch are kept. Of one text it is the end.",
    )
    validation_fraction: float = parameter(
        0.1,
        [FRACTION],
        "float",
        "Share of the tokens of one text, or of the stretches of documents, that `early_stopping` "
        "sets aside.",
    )

    # Fitting.

    @takes_device_arrays
    def fit(  # type: ignore[override]
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        context: Any = None,
        validation_data: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : str, list, array or Sequences
            One text: a string, or a flat list or array of ids. Or N documents: a list, tuple,
            series or 1-D array of strings, of lists of words, or of lists or arrays of ids; a 2-D
            array of ids, a document in each row; `rnnkit.Sequences` of ids.
        y : None
            Not looked at; here for pipelines and searches.
        sample_weight : array-like of shape (N,), default=None
            Weight of every document in the loss.
        context : array-like of shape (N,) or (N, S), default=None
            What is known of every document: a label each, or numbers. Text, whole numbers and
            truth values of one dimension are labels.
        validation_data : texts, or tuple (texts, context), default=None
            Texts that decide when to stop, in place of the part of the training texts that
            `early_stopping` would set aside; a tuple if there are contexts.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or another argument is not what is allowed. The estimator stays as
            it was.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs did not suffice, or the loss stopped being finite.
        """
        check_parameters(self)
        told = X, None, sample_weight, None
        with learning_watched(self, "fit", self.max_iter, *told, context=context) as (
            draft,
            watcher,
        ):
            draft._fit(X, context, sample_weight, validation_data, None, watcher)
        return self

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, context: Any = None
    ) -> Any:
        """Train for one more epoch on the given texts.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew. The first call decides which tokens are known, unless
        `vocabulary` names them.

        Parameters
        ----------
        X, y, sample_weight, context
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`, and with `early_stopping`. The estimator stays as it was.
        """
        told = X, None, sample_weight, None
        learning = learning_watched(self, "partial_fit", 1, *told, context=context)
        with learning as (draft, watcher):
            draft._partial_fit(X, context, sample_weight, None, watcher)
        return self

    def _read_training(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        first: bool,
        classes: Any = None,
    ) -> tuple[Reader, Codec, Output, Examples]:
        """Read training texts, y being their contexts; with `first`, learn what they are."""
        texts = read_texts(X, self.tokens)
        if first:
            contexts = None if y is None else Contexts.learn(y, len(texts))
            ends = self.document_ends
            vocabulary = Vocabulary.learn(
                texts,
                self.vocabulary,
                self.min_frequency,
                has_ends=not texts.is_one if isinstance(ends, str) else bool(ends),
                contexts=contexts,
            )
            reader = reader_of(vocabulary)
        else:
            self._refuse_change(values_for(self, "reader"))
            reader, vocabulary = self._reader, self._vocabulary
        examples = self._stretches(
            reader, vocabulary, texts, y, sample_weight, splits=self.early_stopping
        )
        return reader, vocabulary, self._make_output(vocabulary), examples

    def _stretches(
        self,
        reader: Reader,
        vocabulary: Vocabulary,
        texts: Texts,
        context: Any,
        sample_weight: Any,
        *,
        splits: bool = False,
    ) -> TextExamples:
        """Return texts as examples; with `splits` the tail of one text is apart."""
        contexts = contexts_of(vocabulary, context, len(texts), reader, texts.names)
        weights = weights_of(sample_weight, texts)
        tail = self.validation_fraction if splits else 0.0
        laid, n_last = cut(lay_out(texts, vocabulary), self.stretch_steps, tail)
        if len(laid.next) == 0:
            raise ValueError("X has no tokens to learn from")
        if n_last == len(laid.lengths):
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} of {len(laid.next)} token "
                "leaves none to learn from; give validation_data"
            )
        return TextExamples(
            sequences_of(laid),
            laid.next,
            None if weights is None else np.repeat(weights[laid.document], laid.lengths),
            True,
            True,
            n_last=n_last,
            contexts=None if contexts is None else contexts[laid.document],
        )

    def _read_validation(
        self, reader: Reader, codec: Codec, output: Output, validation_data: Any, lengths: Any
    ) -> Examples | None:
        if validation_data is None:
            return None
        assert isinstance(codec, Vocabulary)
        context = None
        if codec.contexts is not None:
            if not isinstance(validation_data, tuple) or len(validation_data) != 2:
                raise ValueError(
                    "validation_data must be a tuple (texts, context) of a model with contexts, "
                    f"got {type(validation_data).__name__}"
                )
            validation_data, context = validation_data
        texts = read_texts(validation_data, self.tokens, "validation_data")
        return self._stretches(reader, codec, texts, context, None)

    def _make_output(self, codec: Codec) -> Output:
        return NextToken(codec.width)

    def _training_data(
        self, examples: Examples, reader: Reader, codec: Codec, network: Network
    ) -> TrainingData:
        assert isinstance(examples, TextExamples)
        sequences, weights = examples.sequences, examples.weights
        if weights is not None:
            weights = cast(moderate(weights), network.dtype, "sample_weight")
        inputs = with_contexts(sequences.values, sequences.offsets, examples.contexts)
        return TrainingData(inputs, sequences.offsets, examples.targets, weights)

    def _make_validate(
        self, trainer: Trainer, reader: Reader, codec: Codec, validation: Examples
    ) -> Callable[[], Validation]:
        data = self._training_data(validation, reader, codec, trainer.network)
        mean_loss = trainer.loss_of(data)

        def validate() -> Validation:
            loss = mean_loss()
            return Validation(-loss, loss)

        return validate

    def _score_examples(
        self, network: Network, reader: Reader, codec: Codec, examples: Examples
    ) -> float:
        assert isinstance(examples, TextExamples)
        read = examples.sequences.values[:, 0]
        offsets = np.asarray(examples.sequences.offsets)
        laid = Laid(read, examples.targets, offsets, np.arange(len(examples)))
        found = log_likelihoods(network, self.device, laid, examples.contexts)
        return codec.score(examples.targets, found, examples.weights)

    # What it knows.

    @property
    def vocabulary_(self) -> dict[Any, int]:
        """The id of every token known; 0 is that of the unknown."""
        self._need_fit()
        return dict(self._vocabulary.index)

    @property
    def _vocabulary(self) -> Vocabulary:
        codec: Any = self._codec
        vocabulary: Vocabulary = codec
        return vocabulary
