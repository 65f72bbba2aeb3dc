"""From a text to a GRU language model in a folder."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from asr.errors import AsrError
from asr.files import file_digest, write_error
from asr.lm.gru import GruShape
from asr.lm.gru_folder import save_gru
from asr.lm.tables import UNK
from asr.lm.text import read_blocks
from asr.lm.vocabulary import Corpus, choose_vocabulary, encode_texts
from asr.model_folder import check_replaceable
from asr.training.gru_trainer import GruTrainer, GruTraining, Report, Text


def train_gru(
    texts: Sequence[str],
    output: Path,
    *,
    training: GruTraining,
    embedding_size: int,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    limit: int | None = None,
    listed: Sequence[str] | None = None,
    held_out: Sequence[str] = (),
    report: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Train a model, or go on training it, and write its folder.

    Checkpoints lie beside the folder, in `<output>.training`.

    Args:
        texts: files with a sentence a line, plain, .gz or .xz; `-` is standard input.
        output: the model folder.
        training: the settings.
        embedding_size, hidden_size, num_layers, dropout: see `GruShape`.
        limit, listed: which words the model knows (see `asr.lm.vocabulary.choose_vocabulary`).
        held_out: texts whose perplexity is measured.
        report: told where training is, at every checkpoint and at the end.

    Returns:
        The last report.

    Raises:
        AsrError: a text that cannot be used, foreign checkpoints, a stop by Ctrl-C or SIGTERM after a
            checkpoint, a full disk, or a loss beyond rescue.
    """
    check_replaceable(output)
    _check_held_out(held_out)
    with tempfile.TemporaryDirectory(prefix="asr-lm-") as temporary:
        corpus = _encoded(texts, Path(temporary) / "words")
        vocabulary = choose_vocabulary(corpus, limit, listed)
        shape = GruShape(
            vocabulary_size=len(vocabulary.words),
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
        )
        numbers = np.memmap(corpus.path, np.int32, "r")
        ends = np.flatnonzero(numbers == 0) + 1
        text = Text(numbers, vocabulary.ids, np.concatenate([[0], ends[:-1]]), ends)
        trainer = GruTrainer(
            text,
            vocabulary.words,
            shape,
            training=training,
            folder=output.with_name(f"{output.name}.training"),
            fingerprint=_fingerprint(shape, training, vocabulary.words, file_digest(corpus.path)),
            held_out=held_out,
            report=report,
        )
        end = trainer.run()
    num_words = corpus.num_tokens - len(ends)
    unknown = int(corpus.counts[vocabulary.ids == UNK].sum())
    facts = [
        ("text", ", ".join(Path(name).name for name in texts)),
        ("sentences, words", f"{len(ends)}, {num_words}"),
        ("vocabulary", f"{len(vocabulary.words)}, outside {unknown / num_words:.2%}"),
        ("updates", f"{end.step} of {training.tokens} tokens, seed {training.seed}"),
        ("held-out perplexity", f"{end.perplexity:.2f}" if held_out else "not measured"),
    ]
    card = "# GRU language model\n\n" + "".join(f"- {name}: {value}\n" for name, value in facts)
    save_gru(output, shape, trainer.model, card)
    return end


def _encoded(texts: Sequence[str], path: Path) -> Corpus:
    try:
        return encode_texts(texts, path)
    except OSError as error:
        raise write_error(path, error) from error


def _check_held_out(texts: Sequence[str]) -> None:
    """Refuse before any work what could not be measured later."""
    if "-" in texts:
        raise AsrError(
            "the held-out text is read again and again, which standard input cannot be; name a file"
        )
    if texts and not sum(len(block.content.split()) for block in read_blocks(texts)):
        raise AsrError(f"{', '.join(texts)}: sentences were expected, one a line; there is not one word")


def _fingerprint(shape: GruShape, training: GruTraining, words: list[str], text_digest: str) -> str:
    """A digest of everything that decides what is trained."""
    settings = msgspec.to_builtins(training)
    del settings["max_minutes"], settings["every_minutes"]
    facts = [settings, msgspec.to_builtins(shape), words, text_digest]
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:16]
