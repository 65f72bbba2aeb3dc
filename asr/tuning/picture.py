"""What was tried, as a picture and as a table."""

from pathlib import Path

import numpy as np

from asr.config import DecodingConfig
from asr.files import atomic_path
from asr.tuning.second_look import Looks
from asr.tuning.trials import Trial, Tuned


def draw_tuning(path: Path, tuned: Tuned) -> None:
    """Draw the surface of word error rates over the two weights, and the lines of blank score and beam.

    Args:
        path: a PNG file.
        tuned: what `tune` found.

    Raises:
        AsrError: `path` cannot be written.
    """
    from matplotlib.figure import Figure

    chosen, first = tuned.chosen, tuned.trials[0]
    surface = [one for one in tuned.trials if (one.blank_score, one.beam) == (chosen.blank_score, first.beam)]
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.4, 1, 1])

    weights, scores = (
        sorted({getattr(one, name) for one in surface}) for name in ("lm_weight", "word_score")
    )
    values = np.full((len(scores), len(weights)), np.nan)
    for one in surface:
        if one.lm_weight in weights and one.word_score in scores:
            values[scores.index(one.word_score), weights.index(one.lm_weight)] = one.wer
    image = left.imshow(values, origin="lower", aspect="auto", cmap="viridis_r")
    figure.colorbar(image, ax=left, label="WER on dev, %")
    left.set_xticks(range(len(weights)), [f"{value:g}" for value in weights])
    left.set_yticks(range(len(scores)), [f"{value:g}" for value in scores])
    left.set_xlabel("lm_weight")
    left.set_ylabel("word_score, nats")
    left.plot(weights.index(chosen.lm_weight), scores.index(chosen.word_score), "wo", markeredgecolor="black")

    pair = [
        one
        for one in tuned.trials
        if (one.lm_weight, one.word_score) == (chosen.lm_weight, chosen.word_score)
    ]
    blanks = sorted((one.blank_score, one.wer) for one in pair if one.beam == first.beam)
    middle.plot([value for value, _ in blanks], [wer for _, wer in blanks], "o-")
    middle.axvline(chosen.blank_score, color="grey", linewidth=0.8)
    middle.set_xlabel("blank_score, nats")
    middle.set_ylabel("WER on dev, %")
    beams = sorted((one.beam, one.wer) for one in pair if one.blank_score == chosen.blank_score)
    right.semilogx([beam for beam, _ in beams], [wer for _, wer in beams], "o-", base=2)
    right.axvline(chosen.beam, color="grey", linewidth=0.8)
    right.set_xlabel("beam")
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def tuning_table(tuned: Tuned) -> str:
    """Every trial on a line; the one that was taken is marked."""
    head = f"{'lm_weight':>10}{'word_score':>12}{'blank_score':>13}{'beam':>7}{'WER %':>9}{'seconds':>10}"
    rows = [_row(one) + ("  taken" if one == tuned.chosen else "") for one in tuned.trials]
    weights = ", ".join(f"{weight:.3g}" for weight in tuned.confidence)
    sure = (
        f"confidence ({weights}): expected calibration error {100 * tuned.ece:.1f} %, "
        f"{100 * tuned.ece_before:.1f} % by the vote alone"
    )
    looks = _looks(tuned.second_look) if tuned.second_look else []
    return "\n".join([head, *rows, *looks, "", sure]) + "\n"


def described(decoding: DecodingConfig) -> str:
    """The settings of a search for words, in a line."""
    search = (
        f"beam {decoding.beam}, lm_weight {decoding.lm_weight:g}, word_score {decoding.word_score:g}, "
        f"blank_score {decoding.blank_score:g}{decoding.told_warps}"
    )
    if not decoding.gru_share:
        return search
    return (
        f"{search}; the {decoding.gru_nbest} best rescored with a GRU language model, gru_share "
        f"{decoding.gru_share:g}, gru_factor {decoding.gru_factor:g}, gru_word_score "
        f"{decoding.gru_word_score:g}"
    )


def _row(one: Trial) -> str:
    return (
        f"{one.lm_weight:>10g}{one.word_score:>12g}{one.blank_score:>13g}{one.beam:>7}{one.wer:>9.2f}"
        f"{one.seconds:>10.1f}"
    )


def _looks(looks: Looks) -> list[str]:
    """The trials of rescoring."""
    rows = [
        f"{one.share:>10g}{one.factor:>12g}{one.word_score:>16g}{one.wer:>9.2f}"
        + ("  taken" if one == looks.chosen else "")
        for one in looks.trials
    ]
    head = f"{'gru_share':>10}{'gru_factor':>12}{'gru_word_score':>16}{'WER %':>9}"
    least = f"no weights can go below {looks.best:.2f} %: the best reading of every utterance"
    return ["", head, *rows, least]
