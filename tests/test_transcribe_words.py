"""Words by a lexicon and a language model, from audio to transcript, and what does not fit together."""

import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.model.bundle import load_bundle
from asr.transcribe import Recogniser
from tests.conftest import SENTENCES

VOCABULARY = set(SENTENCES.split())


@pytest.fixture(scope="module")
def recogniser(word_model):
    return Recogniser.load(word_model)


@pytest.fixture
def files(tmp_path, babble):
    """Sounds of several lengths, one of them longer than a piece."""
    paths = []
    for seed, seconds in enumerate([1.0, 3.0, 0.02, 2.2, 40.0]):
        paths.append(tmp_path / f"{seed}.wav")
        soundfile.write(paths[-1], babble(seconds, seed=seed), 16000)
    return paths


def assert_same(one, other):
    assert (one.text, one.duration) == (other.text, other.duration)
    assert one.score == pytest.approx(other.score, abs=1e-2)
    for word, twin in zip(one.words, other.words, strict=True):
        assert (word.text, word.start, word.end) == (twin.text, twin.start, twin.end)
        assert word.confidence == pytest.approx(twin.confidence, abs=1e-2)


def test_only_words_of_the_lexicon_are_read_with_times_and_confidences(recogniser, babble):
    result = recogniser.transcribe(babble(3.0))
    assert len(result.words) > 2 and {word.text for word in result.words} <= VOCABULARY
    assert result.text == " ".join(word.text for word in result.words)
    ends = [0.0, *(time for word in result.words for time in (word.start, word.end))]
    assert ends == sorted(ends) and ends[-1] <= 3.0
    assert all(0 < word.confidence <= 1 for word in result.words)
    assert len({word.confidence for word in result.words}) > 1


def test_a_batch_gives_what_its_rows_give_alone(recogniser, files):
    together = list(recogniser.transcribe_files(files))
    assert len({result.text for result in together}) > 3
    for file, result in zip(files, together, strict=True):
        assert_same(result, recogniser.transcribe(file))


def test_alternatives_have_the_scores_of_both_models(word_model, babble):
    best = asr.load(word_model, nbest=5).transcribe(babble(2.0)).alternatives
    lm = LanguageModel.open(word_model / "words.lm")
    assert len({other.text for other in best}) == 5
    assert [other.score for other in best] == sorted((other.score for other in best), reverse=True)
    for other in best:
        words = other.text.split()
        assert other.lm == pytest.approx(lm.score(words), abs=1e-3)
        assert other.score == pytest.approx(other.acoustic + 0.5 * other.lm + 1.0 * len(words), abs=1e-3)


def test_the_number_of_alternatives_does_not_change_the_words(recogniser, word_model, babble):
    assert_same(asr.load(word_model, nbest=7).transcribe(babble(3.0)), recogniser.transcribe(babble(3.0)))


def test_files_may_be_given_to_a_model_that_has_none(recogniser, tiny_model, word_model, babble, tmp_path):
    options = {"lm_weight": 0.5, "word_score": 1.0, "beam": 12}
    given = asr.load(tiny_model, lm=word_model / "words.lm", **options)
    assert given.transcribe(babble(3.0)).text == recogniser.transcribe(babble(3.0)).text
    (tmp_path / "words").write_text("GO\nDOG\n")
    few = asr.load(tiny_model, lexicon=tmp_path / "words", lm=word_model / "words.lm", **options)
    assert set(few.transcribe(babble(3.0)).text.split()) <= {"GO", "DOG"}
    alone = asr.load(tiny_model, lexicon=tmp_path / "words", beam=12, word_score=1.0)
    assert 0 < len(set(alone.transcribe(babble(3.0)).text.split())) <= 2


def test_another_search_may_be_asked_for(word_model, tiny_model, babble):
    for options in ({"decoder": "greedy"}, {"decoder": "beam", "beam": 4}, {"beam": 0}):
        plain = {"beam": options.get("beam")}
        expected = asr.load(tiny_model, **plain).transcribe(babble(2.0))
        assert_same(asr.load(word_model, **options).transcribe(babble(2.0)), expected)
    assert asr.load(word_model, beam=9).decoding.method == "words"
    assert asr.load(word_model, beam=9).decoding.beam == 9


def test_a_beam_that_is_too_narrow_says_so_and_gives_a_text(tiny_model, tmp_path, babble, caplog):
    spelled = asr.load(tiny_model).transcribe(babble(0.5)).text.replace(" ", "")
    (tmp_path / "words").write_text(f"{spelled}{'QZ' * 20}\n")  # more than half a second has room for
    recogniser = asr.load(tiny_model, lexicon=tmp_path / "words", beam=1, word_score=50.0)
    with caplog.at_level(logging.WARNING, "asr"):
        assert recogniser.transcribe(babble(0.5)).text == ""
    assert "beam of 1 is too narrow" in caplog.text


def test_silence_is_an_empty_text(recogniser):
    result = recogniser.transcribe(np.zeros(16000))
    assert (result.text, result.words) == ("", [])


def test_a_hotword_is_read_where_it_would_not_be(recogniser, word_model, babble):
    hotword = asr.load(word_model, decoder="greedy").transcribe(babble(3.0)).words[0].text
    assert hotword not in VOCABULARY
    eager = asr.load(word_model, hotwords={hotword: 50.0}).transcribe(babble(3.0))
    assert hotword in eager.text.split()
    assert set(eager.text.split()) <= VOCABULARY | {hotword}


# --- what does not fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decoder": "flashlight"}, "decoder flashlight: greedy, beam, words expected"),
        ({"decoder": "words"}, "the model folder has no lexicon and no language model"),
        ({"lm_weight": 0.5}, "the model folder has no lexicon and no language model"),
        ({"decoder": "words", "beam": 0}, "beam 0: is greedy search; the decoder words needs 1 or more"),
        ({"decoder": "greedy", "lm_weight": 1.0}, "decoder greedy: has no words"),
        ({"decoder": "greedy", "nbest": 3}, "greedy search finds one text"),
        ({"lm_weight": -1.0}, "lm_weight: a number of at least 0 expected, found -1.0"),
        ({"lm_weight": math.nan}, "lm_weight: a number of at least 0 expected, found nan"),
        ({"word_score": math.inf}, "word_score: a number of nats expected, found inf"),
        ({"lm": "absent.lm"}, "absent.lm: cannot be read"),
        ({"lexicon": "absent.txt"}, "absent.txt: the lexicon cannot be read"),
    ],
)
def test_options_that_do_not_fit(tiny_model, options, sentence):
    with pytest.raises(AsrError, match=sentence):
        asr.load(tiny_model, **options)


def test_a_hotword_that_cannot_be_spelled_is_a_sentence(word_model):
    with pytest.raises(AsrError, match="hotword 'C-3PO': not in the lexicon, and '-' is none"):
        asr.load(word_model, hotwords={"c-3po": 5.0})


def test_a_hotword_that_cannot_be_pronounced_is_a_sentence(phone_model):
    with pytest.raises(AsrError, match=r"hotword Ñ: 'Ñ' is in no word .*, or write it .*, such as \w+$"):
        asr.load(phone_model, hotwords={"Ñ": 5.0})


def test_a_hotword_of_two_words_is_a_sentence(word_model):
    with pytest.raises(AsrError, match="hotword 'GO ON': one word expected, found 2; give each by itself"):
        asr.load(word_model, hotwords={"GO ON": 5.0})


def small_lm(path: Path, words: str) -> Path:
    """A 1-gram of the words."""
    names = ["<unk>", "<s>", "</s>", *words.split()]
    lines = [f"-1\t{name}" for name in names]
    text = "\n".join(["\\data\\", f"ngram 1={len(names)}", "", "\\1-grams:", *lines, "", "\\end\\", ""])
    path.write_text(text)
    return path


def test_a_language_model_in_small_letters_is_a_sentence(tiny_model, tmp_path):
    lm = small_lm(tmp_path / "small.arpa", "cat dog go")
    with pytest.raises(AsrError, match=r"small\.arpa: none of its words, such as cat dog go, can be spelled"):
        asr.load(tiny_model, lm=lm)


def test_words_of_a_language_model_that_cannot_be_spelled_are_named(tiny_model, tmp_path, caplog):
    lm = small_lm(tmp_path / "mixed.arpa", "CAT caf\u00e9 DOG")
    with caplog.at_level(logging.WARNING, "asr"):
        asr.load(tiny_model, lm=lm)
    assert "mixed.arpa: 1 of its 3 words cannot be spelled" in caplog.text and "café" in caplog.text


def test_a_language_model_of_other_words_is_a_sentence(word_model, tiny_model, tmp_path):
    lm = small_lm(tmp_path / "other.arpa", "EAU VIN")
    sentence = r"other\.arpa: none of the words of .*words\.txt, such as \w+, is in this language model"
    with pytest.raises(AsrError, match=sentence):
        asr.load(tiny_model, lm=lm, lexicon=word_model / "words.txt")


def test_a_word_with_another_unit_is_a_sentence_that_names_the_line(tiny_model, tmp_path):
    (tmp_path / "words.txt").write_text("CAT\nCAF\u00c9\n")
    with pytest.raises(AsrError, match=r"words\.txt:2: 'CAFÉ' cannot be spelled in the units of the model"):
        asr.load(tiny_model, lexicon=tmp_path / "words.txt")


# --- the folder --------------------------------------------------------------------------------------------


def test_the_folder_has_lexicon_and_model_and_a_copy_works(word_model, tmp_path, recogniser, babble):
    copy = Path(shutil.copytree(word_model, tmp_path / "copy"))
    bundle = load_bundle(copy, verify=True)
    assert bundle.lexicon == copy / "words.txt" and bundle.lm == copy / "words.lm"
    assert_same(asr.load(copy).transcribe(babble(2.0)), recogniser.transcribe(babble(2.0)))


def test_a_changed_lexicon_is_met_at_once_and_a_changed_model_when_asked(word_model, tmp_path):
    copy = Path(shutil.copytree(word_model, tmp_path / "copy"))
    content = bytearray((copy / "words.lm").read_bytes())
    content[-1] ^= 1
    (copy / "words.lm").write_bytes(content)
    load_bundle(copy)
    with pytest.raises(AsrError, match=r"words\.lm: its content differs from the checksum"):
        load_bundle(copy, verify=True)
    (copy / "words.lm").unlink()
    with pytest.raises(AsrError, match=r"words\.lm is missing"):
        load_bundle(copy)
    (copy / "words.lm").write_bytes(content)
    (copy / "words.txt").write_text("GO\n")
    with pytest.raises(AsrError, match=r"words\.txt: its content differs from the checksum"):
        load_bundle(copy)


def test_a_folder_may_replace_the_one_that_its_files_come_from(word_model, tmp_path):
    from asr.model.bundle import save_bundle

    copy = Path(shutil.copytree(word_model, tmp_path / "copy"))
    before = (copy / "words.lm").read_bytes()
    save_bundle(copy, load_bundle(copy), "# Again\n")
    assert load_bundle(copy, verify=True).card == "# Again\n"
    assert (copy / "words.lm").read_bytes() == before
