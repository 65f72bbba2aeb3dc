"""How a model is made and trained: batches, sizes, the optimiser, and studies of many models."""

from typing import Annotated, Literal

from msgspec import Meta

from asr.config.part import Fraction, Natural, NonNegativeFloat, Part, Positive, PositiveFloat, Probability

Cell = Literal["gru", "gru_reset_after", "lstm", "rnn", "ligru", "sligru", "mingru"]


class BatchingConfig(Part, frozen=True, kw_only=True):
    """How utterances become batches.

    seconds: audio in one batch, padding included; one update sees `training.accumulate` batches.
    max_utterances: most rows in a batch.
    min_seconds, max_seconds: utterances outside are named, counted and left out of training.
    shortest_first: epochs that run from short to long before shuffling begins.
    speaker_power: an utterance takes part in min(1, (mean / own) ^ speaker_power) of the epochs, by the hours
        of its speaker and those of a speaker on average; 0: in all.
    workers: reader processes beside the training loop.
    """

    seconds: PositiveFloat = 60.0
    max_utterances: Positive = 64
    min_seconds: NonNegativeFloat = 0.1
    max_seconds: PositiveFloat = 35.0
    shortest_first: Natural = 1
    speaker_power: NonNegativeFloat = 0.0
    workers: Natural = 1


class ModelConfig(Part, frozen=True, kw_only=True):
    """Convolution front end, GRU stack, CTC output.

    subsampling: frames that become one.
    channels: feature maps of the front end's convolutions.
    residual: each layer's output is added to its input, where the sizes agree.
    layer_drop: probability that an utterance passes a recurrent layer by in training; needs `residual`.
    """

    subsampling: Literal[2, 3, 4] = 4
    channels: Positive = 32
    cell: Cell = "gru"
    hidden_size: Positive = 256
    num_layers: Positive = 3
    bidirectional: bool = True
    dropout: Fraction = 0.2
    residual: bool = True
    layer_drop: Fraction = 0.0


class IntermediateConfig(Part, frozen=True, kw_only=True):
    """A second output in the middle of the stack: helps the layers below it to learn, and is not exported.

    layer: recurrent layers below it; 0: there is none.
    weight: share of its loss.
    units: what it writes: the model's `own`, or `phones` as CMUdict says the words, which a model that writes
        letters does not know.
    """

    layer: Natural = 0
    weight: Probability = 0.3
    units: Literal["own", "phones"] = "own"


class TrainingConfig(Part, frozen=True, kw_only=True):
    """The optimiser and when to stop.

    criterion: what is made small: CTC's loss, or with "ctc_crf" that of [crf].
    max_minutes: time budget of all sessions together, 0 for none; the learning rate falls within it.
    accumulate: batches in one update, over all processes.
    warmup_steps: updates until the learning rate is reached; it then falls along a cosine to `final_rate`
        of itself at the end of the epochs or of the time budget, whichever comes first.
    restarts: epochs, from low to high, after which the learning rate begins anew, with its warm-up; not with
        a time budget.
    restart_rate: what the learning rate is multiplied by with each restart.
    ema: decay of the running average of the weights that is evaluated and exported; 0 switches it off.
    patience: epochs without a better dev WER before stopping; 0 never stops early.
    evaluate_every: epochs between two evaluations on dev.
    checkpoint_minutes: time between two checkpoints within an epoch.
    keep: checkpoints of whole epochs that are kept, best dev WER first.
    dev_utterances: dev utterances decoded in an evaluation, evenly spread; 0 takes all.
    threads: processor threads; 0 leaves the choice to torch.
    precision: `bfloat16` and `float16` use mixed precision on CUDA.
    start_from: folder of a model that is trained further, or `pretrained` for the one that comes with the
        package and, in a copy without one, that of the recipe pretrained; empty: begin with random weights.
        What the configuration leaves out of [features] and [model], and [units] as a whole, are then that
        model's, and with units of the same kind the criterion, the language model and the search as well.
    frozen: names of layers that stay as they are, such as `front_end` or `layers.0`; `*` stands for anything.
    layer_decay: each layer has this fraction of the learning rate of the layer above it; the output has all.
    """

    seed: Natural = 1
    criterion: Literal["ctc", "ctc_crf"] = "ctc"
    epochs: Positive = 30
    max_minutes: NonNegativeFloat = 0.0
    learning_rate: PositiveFloat = 1.5e-3
    final_rate: Probability = 0.01
    weight_decay: NonNegativeFloat = 0.01
    warmup_steps: Natural = 200
    restarts: tuple[Positive, ...] = ()
    restart_rate: Probability = 1.0
    clip_norm: PositiveFloat = 5.0
    accumulate: Positive = 1
    ema: Fraction = 0.0
    patience: Natural = 0
    evaluate_every: Positive = 1
    checkpoint_minutes: PositiveFloat = 5.0
    keep: Positive = 5
    dev_utterances: Natural = 0
    threads: Natural = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    tensorboard: bool = False
    start_from: str = ""
    frozen: tuple[str, ...] = ()
    layer_decay: Annotated[float, Meta(gt=0, le=1)] = 1.0


class CrfConfig(Part, frozen=True, kw_only=True):
    """CTC-CRF: transcripts compete with all other sequences of units, as an n-gram of units weighs them.

    order: of the n-gram, which is estimated on the training transcripts.
    lm_weight: factor of the n-gram's logarithms; with 0, what is left is CTC.
    ctc_weight: CTC's loss is added with this weight.
    """

    order: Annotated[int, Meta(ge=1, le=3)] = 3
    lm_weight: NonNegativeFloat = 1.0
    ctc_weight: NonNegativeFloat = 0.1


class DistillationConfig(Part, frozen=True, kw_only=True):
    """Learning from what other models hear, beside the transcripts.

    teachers: folders of models with the same features and units; none: transcripts alone.
    weight: share of the distance from the teachers in the loss.
    """

    teachers: tuple[str, ...] = ()
    weight: Probability = 0.5


class AveragingConfig(Part, frozen=True, kw_only=True):
    """Which checkpoints are averaged into the model: the `count` last or the `count` best by dev WER.

    start_share: of the weights of the model in `training.start_from` in the result, against forgetting: with
        0 it is what was trained, with 1 that model (`asr.training.average.mix_with_start`).
    """

    which: Literal["last", "best"] = "best"
    count: Positive = 1
    start_share: Probability = 0.0


class GridConfig(Part, frozen=True, kw_only=True):
    """What a study trains; the model of [model] sets the number of parameters of all others.

    seeds: runs of each model, with the seeds 1, 2, ….
    minutes: processor time of each run, on one thread.
    utterances: training utterances that are used, evenly spread; 0 takes all.
    cells: compared at equal numbers of parameters and equal processor time.
    rates: learning rates that are tried for each cell, with seed 0; the one with the least dev CER is used.
        Empty: `training.learning_rate` for all.
    epochs: the cells are compared after so many epochs too, whatever time they take; 0: they are not.
    hidden: sizes beside that of [model]; parameters differ.
    layers: depths beside that of [model]; parameters are equal.
    gates: taken away from the GRU at the same hidden size, see `asr.recurrent.ablation`.
    gates_matched: take them away at equal numbers of parameters too.
    rounds: repetitions of the timing of equal, sorted and mixed lengths; 0 leaves it out.
    """

    seeds: Annotated[int, Meta(ge=2)] = 5
    minutes: PositiveFloat = 4.0
    utterances: Natural = 0
    cells: tuple[Cell, ...] = ()
    rates: tuple[PositiveFloat, ...] = ()
    epochs: Natural = 0
    hidden: tuple[Positive, ...] = ()
    layers: tuple[Positive, ...] = ()
    gates: tuple[Literal["reset", "update", "constant_update"], ...] = ()
    gates_matched: bool = False
    rounds: Natural = 0


class StudyConfig(Part, frozen=True, kw_only=True):
    """A recipe that trains many small models to compare them, instead of one.

    grid: the one of `grids` that is run.
    processes: runs at the same time, each on one thread; 0 takes one for each processor.
    gradient_utterances: test utterances over which gradients through time are averaged.
    """

    grid: str
    grids: dict[str, GridConfig]
    processes: Natural = 0
    gradient_utterances: Positive = 6
