"""Language models: networks that score texts token by token, and write them.

Letters: N documents, m texts written, S numbers of a context.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.base import RecurrentEstimator, recurrent_estimator
from rnnkit.estimators.language.choosing import Choice
from rnnkit.estimators.language.scoring import LanguageScoring
from rnnkit.estimators.language.stream import TextStream
from rnnkit.estimators.language.vocabulary import Vocabulary
from rnnkit.estimators.language.writing import (
    Stops,
    checked_count,
    read_prompts,
    write_many,
)
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import (
    parameters,
)
from rnnkit.estimators.parameters.network import GRUParameters, LSTMParameters, RNNParameters
from rnnkit.estimators.transaction import at_this_moment

__all__ = [
    "GRULanguageModel",
    "LSTMLanguageModel",
    "RNNLanguageModel",
    "RecurrentLanguageModel",
]


def _no_predictions(estimator: Any) -> bool:
    raise AttributeError(
        f"{type(estimator).__name__} has score_samples, sample and stream in place of predict"
    )


@parameters
class RecurrentLanguageModel(LanguageScoring):
    """What scores and writes texts, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "Texts are one long string, or documents: strings, lists of words, or ids of any "
            "tokenizer. `score` is the mean log-probability of a token in nats, larger is better; "
            "`sample` writes. Documents may come with a context each, a label or a vector, that "
            "the first state is made of."
        ),
        notes=(
            "the scores of what comes next are an affine function of the state, their softmax is "
            "its distribution, and the loss is the mean negative log-likelihood in nats per token. "
            "A long text is cut into stretches of `stretch_steps` tokens that are read side by "
            "side; the state is carried through a stretch over the windows of `bptt_steps`, and is "
            "zero at its beginning, so that a share ``bptt_steps / stretch_steps`` of the windows "
            "begins as a text that is scored or written does. Documents begin and end with a token "
            "of their own. Tokens that `fit` did not see are one token, the unknown, which is "
            "never written."
        ),
        example="""
>>> from rnnkit import {name}
>>> model = {name}(32, random_state=0).fit("to be or not to be. " * 50)
>>> model.perplexity("to be or not to be. ") < 2
True
>>> model.sample(12, prompt="to be or", temperature=0)
' not to be. '
""",
    )

    @property
    def n_features_in_(self) -> int:
        """Not there: texts have no columns."""
        raise AttributeError(f"{type(self).__name__} has no n_features_in_: texts have no columns")

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Not there: texts have no columns."""
        raise AttributeError(f"{type(self).__name__} has no names of columns")

    # Writing.

    def sample(
        self,
        n: int = 100,
        prompt: Any = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: Any = None,
        random_state: Any = None,
        *,
        n_samples: int | None = None,
        context: Any = None,
        stream: bool = False,
    ) -> Any:
        """Write texts, token by token.

        Parameters
        ----------
        n : int, default=100
            Tokens of a text at most; a document may end before.
        prompt : text or list of m texts, default=None
            What is read first, of a list each by a text of its own.
        temperature : float, default=1.0
            Scores are divided by it before a token is drawn: below 1 likely tokens are likelier
            still; 0 takes the likeliest.
        top_k : int, default=None
            Only the k likeliest tokens are drawn from.
        top_p : float, default=None
            Only the likeliest that together have this share of the probability are drawn from.
        stop : token, run of tokens or list of such, default=None
            Where one of them was written, the text stops before it. A run is a string of several
            characters, or of words with spaces; of ids, a list in the list.
        random_state : int, RandomState instance or None, default=None
            Seed of what is drawn.
        n_samples : int, default=None
            Texts to write, as a list; None: one, or one for each prompt or context.
        context : label, vector, or array-like of shape (m,) or (m, S), default=None
            As in `fit`, of one text or of each.
        stream : bool, default=False
            Whether to return an iterator over the tokens of one text, each as soon as it is
            written.

        Returns
        -------
        str, list or ndarray; a list of m of these; or an iterator
            What follows the prompt, in the form of the training texts: a string, a list of words or
            ids, or an array of ids. The first of several texts is what a single one would be.

        Raises
        ------
        ValueError, TypeError
            If an argument is not what is allowed.

        Examples
        --------
        >>> from rnnkit import GRULanguageModel
        >>> model = GRULanguageModel(16, random_state=0).fit(["anna", "hannah", "ada"] * 60)
        >>> model.sample(20, prompt="han", temperature=0)
        'nah'
        >>> "".join(model.sample(20, prompt="a", temperature=0, stream=True)) in ("nna", "da")
        True
        """
        check_is_fitted(self)
        moment = at_this_moment(self)
        vocabulary = moment._vocabulary
        choice, stops = Choice(temperature, top_k, top_p), Stops.of(stop, vocabulary)
        n = checked_count(n)
        prompts, several = read_prompts(prompt, vocabulary)
        n_contexts = _n_contexts(context, vocabulary)
        several = several or n_contexts is not None or n_samples is not None
        counts = {
            "prompt": len(prompts) if len(prompts) > 1 else None,
            "context": n_contexts,
            "n_samples": None if n_samples is None else checked_count(n_samples, "n_samples", 1),
        }
        m = _one_count(counts)
        if stream and several:
            raise ValueError("stream=True writes one text; give one prompt, one context or none")
        contexts = moment._read_contexts(context, 1 if n_contexts is None else m)
        seeds = check_random_state(random_state).randint(2**31 - 1, size=m).tolist()
        if not several:
            text_stream = TextStream(moment, context)
            text_stream.read_ids(prompts[0])
            if stream:
                ids = text_stream.write_ids(n, choice, stops, seeds[0])
                return (vocabulary.tokens[i - 1] for i in ids)
            return vocabulary.text(text_stream.written(n, choice, stops, seeds[0]))
        if contexts is not None and len(contexts) < m:
            contexts = np.repeat(contexts, m, axis=0)
        prompts = prompts * m if len(prompts) == 1 else prompts
        texts = write_many(
            moment.network_, self.device, vocabulary, prompts, contexts, n, choice, stops, seeds
        )
        return list(map(vocabulary.text, texts))

    def stream(self, context: Any = None) -> TextStream:  # type: ignore[override]
        """Return an object that takes a text token by token.

        Parameters
        ----------
        context : label or array-like of shape (S,), default=None
            As in `fit`, of this text.

        Returns
        -------
        TextStream
            See `rnnkit.estimators.language.stream.TextStream`; several streams of one model do
            not disturb each other.

        Raises
        ------
        ValueError, TypeError
            If the context is not as in `fit`.
        """
        check_is_fitted(self)
        return TextStream(at_this_moment(self), context)

    predict = available_if(_no_predictions)(RecurrentEstimator.predict)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        tags.target_tags.required = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.string = True
        return tags


def _n_contexts(context: Any, vocabulary: Vocabulary) -> int | None:
    """Return how many contexts there are, None if it is one alone."""
    if context is None or vocabulary.contexts is None:
        return None
    is_vector = vocabulary.contexts.labels is None
    dimensions = np.ndim(context)
    if is_vector and vocabulary.contexts.width == 1 and dimensions == 1 and len(context) > 1:
        return len(context)  # of one number each
    return len(context) if dimensions > int(is_vector) else None


def _one_count(counts: dict[str, int | None]) -> int:
    """Return the one number of texts that several arguments ask for."""
    asked = {name: count for name, count in counts.items() if count is not None}
    if len(set(asked.values())) > 1:
        listed = ", ".join(f"{count} by {name}" for name, count in asked.items())
        raise ValueError(f"sample must be asked for one number of texts, got {listed}")
    return next(iter(asked.values()), 1)


@recurrent_estimator
class RNNLanguageModel(RNNParameters, RecurrentLanguageModel):
    """Score and write texts with a simple (Elman) recurrent network."""


@recurrent_estimator
class LSTMLanguageModel(LSTMParameters, RecurrentLanguageModel):
    """Score and write texts with a long short-term memory (LSTM) network."""


@recurrent_estimator
class GRULanguageModel(GRUParameters, RecurrentLanguageModel):
    """Score and write texts with a network of gated recurrent units (GRU)."""
