"""From log-probabilities to words and figures: language model, search, its tuning, scoring."""

import math
from typing import Annotated, Literal

from msgspec import Meta

from asr.config.part import Fraction, Natural, NonNegativeFloat, Part, Positive, PositiveFloat, Probability

LmSource = Literal[
    "none",
    "start",
    "transcripts",
    "text",
    "file",
    "librispeech-lm-norm",
    "3-gram.pruned.1e-7",
    "3-gram.pruned.3e-7",
    "4-gram",
]

Warp = Annotated[float, Meta(gt=-1, lt=1)]


class LanguageModelConfig(Part, frozen=True, kw_only=True):
    """The n-gram model of words that `decoding.method = "words"` reads with; its words are the lexicon.

    source: `none`; that of the model in `training.start_from`, as `start`, whose words are read as they are
        spelled there; estimated from the training `transcripts`, from the `text` in `files`, or from
        `librispeech-lm-norm`, the text of LibriSpeech (OpenSLR 11); a model that is there, the `file` in
        `files`; or one of LibriSpeech's own, by its name there. What is LibriSpeech's is downloaded to the
        folder of the corpus.
    files: texts with a sentence a line, plain, .gz or .xz, or one model, .arpa, .arpa.gz or .lm; beside the
        configuration.
    order, vocabulary, cutoffs: of a model that is estimated: the longest n-gram; how many of the most
        frequent words it keeps, 0 for all; n-grams of order 2, 3, … that occur this often are left out.
    prune: growth of perplexity that is not worth an n-gram; 0 keeps all of them.
    bits: of a log-probability on disk.
    transcripts_share: of an n-gram of the training transcripts, without those of `corpus.also`, that `start`
        is mixed with. Words that are new there get their probabilities so; with 0, the model stays as it is,
        and they are read as words that it does not know (`decoding.unk_score`).
    """

    source: LmSource = "none"
    files: tuple[str, ...] = ()
    order: Annotated[int, Meta(ge=1, le=9)] = 3
    vocabulary: Natural = 0
    cutoffs: tuple[Natural, ...] = ()
    prune: Fraction = 0.0
    bits: Literal[8, 16, 32] = 16
    transcripts_share: Fraction = 0.1


class RescoringConfig(Part, frozen=True, kw_only=True):
    """The GRU language model that looks a second time at what `decoding.method = "words"` found.

    source, files: its text, as for `language_model`; `none` trains none.
    epochs: times that the text is read at most.
    minutes: time budget of the training, 0 for none.
    vocabulary: how many of the most frequent words it knows, 0 for all.
    embedding_size, hidden_size, num_layers, dropout: its sizes (`asr.lm.gru.GruShape`).
    learning_rate, seed: of the training.
    shares, factors, word_scores: values of `decoding.gru_share`, `gru_factor` and `gru_word_score`, of which
        all combinations are tried on dev, beside what the search alone finds; the best is used.
    """

    source: Literal["none", "transcripts", "text", "librispeech-lm-norm"] = "none"
    files: tuple[str, ...] = ()
    epochs: Positive = 10
    minutes: NonNegativeFloat = 60.0
    vocabulary: Natural = 0
    embedding_size: Annotated[int, Meta(ge=16)] = 256
    hidden_size: Positive = 512
    num_layers: Positive = 1
    dropout: Fraction = 0.0
    learning_rate: PositiveFloat = 5e-3
    seed: Natural = 1
    shares: tuple[Annotated[float, Meta(gt=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    factors: tuple[NonNegativeFloat, ...] = (0.75, 1.0, 1.25, 1.5)
    word_scores: tuple[float, ...] = (-1.0, 0.0, 1.0, 2.0)


class DecodingConfig(Part, frozen=True, kw_only=True):
    """Log-probabilities to text.

    method: `greedy`; `beam`, a prefix beam search for units; `words`, the words of a lexicon with a language
        model.
    beam: hypotheses that are kept from frame to frame.
    top: classes of a frame by which a hypothesis may grow.
    nbest: texts that are returned.
    warps: stretches of the mel axis, as fractions in steps of 0.01 (see `augment.warp`): the model hears
        all once with each, and the mean is searched (`asr.transcribe.voices`).

    The others are for words alone.

    threshold: nats by which a hypothesis may be behind the best.
    class_threshold: nats by which a class may be behind the best of its frame for hypotheses to grow by it.
    lm_weight: factor of the language model's logarithms.
    word_score: nats for each word.
    unk_score: nats for a word of the lexicon that the language model does not know, beside its `<unk>`.
    spelled_word_score, spelled_unit_score: nats for a word outside the lexicon that is spelled by characters,
        and for each of them; with -inf, words outside the lexicon are never read.
    blank_score: nats added to the blank of every frame; below 0 for a model that is too sure of it.
    confidence: weights of the map from evidence to confidence (`asr.decoding.readings.confidences`).
    gru_share: of the GRU language model in a second look at what was found (`asr.decoding.rescoring`); with
        0, nothing is rescored.
    gru_factor: of `lm_weight`, for the mixture of both models.
    gru_word_score: nats for each word, beside `word_score`.
    gru_nbest: texts of an utterance that are looked at a second time.
    also: further methods by which a recipe decodes its sets, to report their results beside the first.
    """

    method: Literal["greedy", "beam", "words"] = "greedy"
    beam: Positive = 16
    top: Positive = 8
    nbest: Positive = 1
    warps: Annotated[tuple[Warp, ...], Meta(min_length=1)] = (0.0,)
    threshold: PositiveFloat = 20.0
    class_threshold: PositiveFloat = math.inf
    lm_weight: NonNegativeFloat = 0.8
    word_score: float = 0.0
    unk_score: float = -10.0
    spelled_word_score: float = -math.inf
    spelled_unit_score: Annotated[float, Meta(le=0)] = 0.0
    blank_score: float = 0.0
    confidence: tuple[float, NonNegativeFloat, NonNegativeFloat] = (0.0, 1.0, 0.0)
    gru_share: Probability = 0.0
    gru_factor: NonNegativeFloat = 1.0
    gru_word_score: float = 0.0
    gru_nbest: Positive = 64
    also: tuple[Literal["greedy", "beam"], ...] = ()

    @property
    def told_warps(self) -> str:
        """The warps as the end of a list of settings; empty where all is heard once, as it is."""
        warps = " ".join(f"{warp:g}" for warp in self.warps)
        return "" if self.warps == (0.0,) else f", the mean of the warps {warps}"


class TuningConfig(Part, frozen=True, kw_only=True):
    """Values of `decoding` that are tried on dev where `decoding.method = "words"`; the best are used.

    lm_weights, word_scores: every pair of them is tried.
    blank_scores, beams: tried with the best pair, one after the other. Of the beams the smallest is taken
        whose WER is within `tolerance` of the best, in percentage points.
    utterances: of dev that are decoded, evenly spread; 0 takes all.
    folds: parts into which the speakers of dev are dealt out. Each is decoded with what was found on the
        others, so that the result on dev does not flatter; all other speech is decoded with what was found on
        all of dev. 0: dev too.
    """

    lm_weights: tuple[NonNegativeFloat, ...] = ()
    word_scores: tuple[float, ...] = ()
    blank_scores: tuple[float, ...] = ()
    beams: tuple[Positive, ...] = ()
    tolerance: NonNegativeFloat = 0.1
    utterances: Natural = 0
    folds: Natural = 0


class ScoringConfig(Part, frozen=True, kw_only=True):
    """Bootstrap of the confidence interval, and what a model that was trained further may have forgotten.

    control: folder of a LibriSpeech subset, such as dev-clean, on which a model and the one that
        `training.start_from` names are compared beside dev and test; empty or not there: they are not.
    control_utterances: of it that are decoded, evenly spread; 0 takes all.
    """

    bootstrap: Positive = 1000
    seed: Natural = 1
    control: str = ""
    control_utterances: Natural = 0
