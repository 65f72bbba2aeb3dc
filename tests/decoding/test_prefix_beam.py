"""Prefix beam search against every alignment, against the textbook's search, and against torch's CTC loss."""

import importlib.util
import itertools
from collections import defaultdict
from pathlib import Path as FilePath
from types import ModuleType

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding import prefix_beam
from asr.decoding.alignment import align
from asr.decoding.greedy import greedy_search
from asr.decoding.path import Path
from asr.decoding.prefix_beam import prefix_beam_search
from asr.errors import AsrError

ALL = 10_000
"""A beam that no tiny lattice fills."""


def random_log_probs(seed: int, *shape: int, sharpness: float = 2.0) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal(shape)
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def search(log_probs: np.ndarray, *, beam: int, top: int, nbest: int = 1) -> list[Path]:
    """The paths of one row (T, C)."""
    return prefix_beam_search(log_probs[None], [len(log_probs)], beam=beam, top=top, nbest=nbest)[0]


def every_alignment(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log-probability of every sequence of units: the sum over the alignments that spell it."""
    totals: dict[tuple[int, ...], float] = defaultdict(lambda: -np.inf)
    for alignment in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        ids = tuple(unit for unit, _ in itertools.groupby(alignment) if unit != 0)
        score = sum(log_probs[t, c] for t, c in enumerate(alignment))
        totals[ids] = np.logaddexp(totals[ids], score)
    return totals


def textbook_search(log_probs: np.ndarray, beam: int, top: int) -> list[tuple[tuple[int, ...], float]]:
    """Hannun et al. (2014), algorithm 1, without a language model: a dictionary of prefixes a frame.

    A prefix that is not in the beam may be begun by the `top` best classes only.
    """
    now: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for frame in log_probs:
        ranked = sorted(range(len(frame)), key=lambda c, frame=frame: (-frame[c], c))[:top]
        new: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-np.inf, -np.inf])
        for prefix, (blank, unit) in now.items():
            total = np.logaddexp(blank, unit)
            new[prefix][0] = np.logaddexp(new[prefix][0], total + frame[0])
            if prefix:
                new[prefix][1] = np.logaddexp(new[prefix][1], unit + frame[prefix[-1]])
            for c in range(1, len(frame)):
                longer = (*prefix, c)
                if c in ranked or longer in now:
                    before = blank if prefix and prefix[-1] == c else total
                    new[longer][1] = np.logaddexp(new[longer][1], before + frame[c])
        best = sorted(new.items(), key=lambda item: -np.logaddexp(*item[1]))[:beam]
        now = {prefix: (ends[0], ends[1]) for prefix, ends in best if max(ends) > -np.inf}
    return [(prefix, float(np.logaddexp(*ends))) for prefix, ends in now.items()]


@given(
    seed=st.integers(0, 10**6),
    num_frames=st.integers(1, 5),
    num_classes=st.integers(1, 4),
    sharpness=st.sampled_from([0.1, 1.0, 5.0, 15.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_full_beam_sums_every_alignment(
    seed: int, num_frames: int, num_classes: int, sharpness: float
) -> None:
    """All sequences, in order, with their total log-probabilities."""
    log_probs = random_log_probs(seed, num_frames, num_classes, sharpness=sharpness)
    totals = every_alignment(log_probs)
    paths = search(log_probs, beam=ALL, top=num_classes, nbest=ALL)

    assert {tuple(path.ids): path.score for path in paths} == pytest.approx(dict(totals), abs=1e-9)
    scores = [path.score for path in paths]
    assert scores == sorted(scores, reverse=True)
    assert tuple(paths[0].ids) == max(totals, key=lambda ids: totals[ids])
    assert np.logaddexp.reduce(scores) == pytest.approx(0.0, abs=1e-9)


@given(
    seed=st.integers(0, 10**6),
    beam=st.integers(1, 12),
    top=st.integers(1, 6),
    sharpness=st.sampled_from([1.0, 3.0, 6.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_narrow_beam_is_the_textbooks(seed: int, beam: int, top: int, sharpness: float) -> None:
    """Pruned like the textbook, prefixes that left the beam and came back included."""
    log_probs = random_log_probs(seed, 25, 5, sharpness=sharpness)
    expected = textbook_search(log_probs, beam, top)
    paths = search(log_probs, beam=beam, top=top, nbest=beam)
    assert {tuple(path.ids): path.score for path in paths} == pytest.approx(dict(expected), abs=1e-9)
    assert len(paths) == len(expected)


def test_a_large_search_is_the_textbooks() -> None:
    """More prefixes than the first size of the trie, and several sorts a frame."""
    log_probs = random_log_probs(5, 120, 12, sharpness=1.5)
    expected = textbook_search(log_probs, 24, 12)
    paths = search(log_probs, beam=24, top=12, nbest=24)
    assert [tuple(path.ids) for path in paths] == [ids for ids, _ in expected]
    assert [path.score for path in paths] == pytest.approx([score for _, score in expected], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_torchs_ctc_loss(seed: int) -> None:
    log_probs = random_log_probs(seed, 7, 4)
    paths = [p for p in search(log_probs, beam=ALL, top=4, nbest=60) if p.ids]
    targets = torch.zeros(len(paths), 7, dtype=torch.long)
    for row, path in enumerate(paths):
        targets[row, : len(path.ids)] = torch.tensor(path.ids)
    losses = torch.nn.functional.ctc_loss(
        torch.tensor(log_probs)[:, None].expand(-1, len(paths), -1),
        targets,
        torch.full((len(paths),), 7),
        torch.tensor([len(path.ids) for path in paths]),
        blank=0,
        reduction="none",
    )
    assert [path.score for path in paths] == pytest.approx((-losses).tolist(), abs=1e-9)


def test_a_wider_beam_loses_less() -> None:
    """What a beam follows is a part of the whole sum, and on average the wider beam follows more of it."""
    means = []
    for beam in (1, 2, 4, 8, 16, 32):
        gaps = []
        for seed in range(20):
            log_probs = random_log_probs(seed, 40, 8)
            best = search(log_probs, beam=beam, top=8)[0]
            whole = -torch.nn.functional.ctc_loss(
                torch.tensor(log_probs), torch.tensor(best.ids), (40,), (len(best.ids),), reduction="sum"
            )
            assert best.score <= float(whole) + 1e-9
            gaps.append(best.score)
        means.append(np.mean(gaps))
    assert means == sorted(means)
    assert means[-1] > means[0] + 1


def test_finds_more_than_the_best_alignment() -> None:
    """Graves's example: the most probable alignment is all blank, the most probable sequence is not."""
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert greedy_search(log_probs[None], [2])[0].ids == []
    best, second = search(log_probs, beam=4, top=2, nbest=4)
    assert (best.ids, second.ids) == ([1], [])
    assert np.exp([best.score, second.score]) == pytest.approx([0.64, 0.36])


def test_a_repeated_unit_needs_a_blank_between() -> None:
    """Two frames of a unit are one unit; with a blank between them they are two."""
    one = np.log([[0.01, 0.99]] * 2)
    two = np.log([[0.01, 0.99], [0.99, 0.01], [0.01, 0.99]])
    assert search(one, beam=8, top=2)[0].ids == [1]
    assert search(two, beam=8, top=2)[0].ids == [1, 1]


def test_only_the_top_classes_begin_prefixes() -> None:
    log_probs = np.log([[0.1, 0.5, 0.4], [0.5, 0.1, 0.4]])
    assert {tuple(p.ids) for p in search(log_probs, beam=ALL, top=1, nbest=ALL)} == {(), (1,)}
    assert (2,) in {tuple(p.ids) for p in search(log_probs, beam=ALL, top=2, nbest=ALL)}


def test_equal_classes_are_ranked_by_their_number() -> None:
    uniform = np.log(np.full((1, 5), 0.2))
    paths = search(uniform, beam=ALL, top=3, nbest=ALL)
    assert [path.ids for path in paths] == [[], [1], [2]]
    assert [path.ids for path in search(uniform, beam=2, top=5, nbest=2)] == [[], [1]]


def test_a_batch_gives_what_its_rows_give_alone_whatever_the_padding() -> None:
    log_probs, lens = random_log_probs(1, 6, 25, 7), [25, 0, 1, 13, 24, 7]
    padded = log_probs.copy()
    for row, length in enumerate(lens):
        padded[row, length:] = np.nan
    batch = prefix_beam_search(padded, lens, beam=5, top=4, nbest=3)
    for row, length in enumerate(lens):
        assert batch[row] == search(log_probs[row, :length], beam=5, top=4, nbest=3)


def test_tensor_and_array_agree_and_twice_is_the_same() -> None:
    log_probs = torch.tensor(random_log_probs(2, 2, 30, 6), dtype=torch.float32)
    lens = torch.tensor([30, 21])
    once = prefix_beam_search(log_probs, lens, beam=6, top=6, nbest=6)
    assert once == prefix_beam_search(log_probs.numpy(), lens.numpy(), beam=6, top=6, nbest=6)
    uniform = np.zeros((1, 20, 5))  # ties everywhere
    paths = prefix_beam_search(uniform, [20], beam=6, top=5, nbest=6)
    assert paths == prefix_beam_search(uniform, [20], beam=6, top=5, nbest=6)
    assert len({tuple(path.ids) for path in paths[0]}) == 6


def test_frames_and_confidences_are_those_of_the_best_alignment() -> None:
    log_probs = random_log_probs(3, 30, 6)
    for path in search(log_probs, beam=8, top=6, nbest=8):
        assert (path.frames, path.confidences) == align(log_probs, path.ids)
        assert all(a < b for a, b in itertools.pairwise(path.frames))
        assert path.frames[0] >= 0
        assert path.frames[-1] < 30
        assert all(0 <= confidence <= 1 for confidence in path.confidences)


def test_no_frames_and_silence_give_an_empty_path() -> None:
    empty = Path(ids=[], frames=[], score=0.0, confidences=[])
    assert prefix_beam_search(np.zeros((2, 0, 3)), [0, 0], beam=4, top=3, nbest=2) == [[empty], [empty]]
    assert prefix_beam_search(np.full((1, 4, 3), np.nan), [0], beam=4, top=3) == [[empty]]
    assert prefix_beam_search(np.zeros((0, 4, 3)), [], beam=4, top=3) == []
    silence = np.log(np.array([[0.998, 0.001, 0.001]] * 200))
    (path,) = search(silence, beam=16, top=3)
    assert path.ids == []
    assert path.score == pytest.approx(200 * np.log(0.998))


def test_impossible_classes_and_very_improbable_rows() -> None:
    """-inf is a class that cannot be; a row whose probability underflows has an exact logarithm."""
    log_probs = np.full((3000, 3), -np.inf)
    log_probs[:, 0] = -700.0
    log_probs[1500] = [-np.inf, -900.0, -np.inf]
    (path,) = search(log_probs, beam=16, top=3, nbest=5)
    assert (path.ids, path.frames) == ([1], [1500])
    assert path.score == pytest.approx(-2999 * 700 - 900, rel=1e-12)


def test_scaling_a_frame_moves_the_scores_and_nothing_else() -> None:
    """Somebody may lower the blank before decoding: rows then do not add up to 1."""
    log_probs = random_log_probs(4, 20, 5)
    plain = search(log_probs, beam=8, top=5, nbest=8)
    moved = search(log_probs + 3.0, beam=8, top=5, nbest=8)
    assert [path.ids for path in moved] == [path.ids for path in plain]
    assert [path.score - 60 for path in moved] == pytest.approx([path.score for path in plain], abs=1e-9)
    assert all(0 <= confidence <= 1 for path in moved for confidence in path.confidences)


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"top": 0}, {"nbest": -1}])
def test_impossible_settings(wrong: dict[str, int]) -> None:
    settings = {"beam": 4, "top": 2, "nbest": 1} | wrong
    with pytest.raises(AsrError, match=f"{next(iter(wrong))} of at least 1 expected"):
        prefix_beam_search(np.zeros((1, 1, 2)), [1], **settings)


def test_nan_names_the_row() -> None:
    log_probs = random_log_probs(3, 3, 5, 4)
    log_probs[1, 4, 0] = np.nan
    with pytest.raises(AsrError, match=r"row 1 .* frame 4"):
        prefix_beam_search(log_probs, [5, 5, 5], beam=4, top=4)


def as_plain_python(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A second copy of a module, of which numba compiles nothing."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    original = importlib.util.find_spec(name)
    assert original is not None
    assert original.origin is not None
    spec = importlib.util.spec_from_file_location("plain_python", FilePath(original.origin))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_compiled_and_plain_python_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    log_probs = random_log_probs(6, 2, 60, 12, sharpness=1.0)
    compiled = prefix_beam.prefix_beam_search(log_probs, [60, 50], beam=24, top=12, nbest=24)
    monkeypatch.setattr(prefix_beam, "align", as_plain_python("asr.decoding.alignment", monkeypatch).align)
    monkeypatch.setattr(
        prefix_beam, "search", as_plain_python("asr.decoding.prefix_trie", monkeypatch).search
    )
    plain = prefix_beam.prefix_beam_search(log_probs, [60, 50], beam=24, top=12, nbest=24)
    for left, right in zip(compiled, plain, strict=True):
        assert [path.ids for path in left] == [path.ids for path in right]
        assert [path.frames for path in left] == [path.frames for path in right]
        assert [path.score for path in left] == pytest.approx([path.score for path in right], abs=1e-9)
