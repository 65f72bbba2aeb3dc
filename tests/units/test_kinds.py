"""Units as a configuration asks for them, made and read again."""

import pytest

from asr.config import LETTER_TO_SOUND, LEXICON, PIECES, UnitsConfig, parse_config
from asr.errors import AsrError
from asr.units.kinds import build_units, load_units
from asr.units.spellings import spell_words

TEXTS = ["THE CAT SAT", "THE TACT"]
CONTENT = "THE  DH AH0\nTHE(2)  DH IY0\nCAT  K AE1 T\nSAT  S AE1 T\nAT  AE1 T\nACT  AE1 K T\nTHE  DH AH0\n"


@pytest.fixture
def build(tmp_path):
    def make(measured=(), **options):
        path = tmp_path / "words.txt"
        path.write_text(CONTENT)
        lexicon = path if options.get("kind") == "phones" else None
        config = UnitsConfig(**options)
        return config, build_units(config, TEXTS, list(measured), lexicon=lexicon, cache=tmp_path)

    return make


def test_characters_need_no_files(build):
    config, built = build()
    assert built.files == {} and config.files == ()
    assert built.told == ["8 classes, |ACEHST and the blank"]
    units = load_units(config, built.tokens, built.files)
    assert units.decode(units.encode("THE CAT")) == units.reference("THE CAT") == "THE CAT"
    assert units.spell("CAT") == [tuple(units.encode("CAT"))]
    assert units.tokens[units.boundary] == "|"


def test_phones_bring_their_lexicon_and_what_was_learnt_from_it(build):
    config, built = build(kind="phones")
    assert built.tokens[:4] == ["<blank>", "|", "AA", "AE"] and len(built.tokens) == 41
    assert sorted(built.files) == sorted(config.files) == sorted((LEXICON, LETTER_TO_SOUND))
    assert built.told == [
        "41 classes, 39 phones, the boundary | and the blank",
        "1 lines of the lexicon repeat others: THE, lines 1 and 7",
        "1 of 4 words in the transcripts are not among the lexicon's 5 and are pronounced by letter to "
        "sound: TACT",
    ]
    units = load_units(config, built.tokens, built.files)
    assert units.reference("THE CAT") == "DH AH K AE T"
    assert units.reference("TACT").split()[-1] == "T"


def test_stress_makes_different_phones(build):
    config, built = build(kind="phones", stress=True, letter_to_sound=False)
    units = load_units(config, built.tokens, built.files)
    assert units.reference("THE CAT") == "DH AH0 K AE1 T" and len(built.tokens) == 71


def test_without_letter_to_sound_a_word_that_is_measured_must_be_in_the_lexicon(build):
    _, built = build(kind="phones", letter_to_sound=False, measured=["THE ACT"])
    assert list(built.files) == [LEXICON] and "left out with their utterances: TACT" in built.told[-1]
    with pytest.raises(AsrError, match="TACT: not in the lexicon"):
        build(kind="phones", letter_to_sound=False, measured=TEXTS)


def test_own_phones_replace_those_of_cmudict(build):
    config, built = build(kind="phones", phones=("DH", "AH0", "IY0", "K", "AE1", "T", "S"))
    assert built.tokens[2:] == list(config.phones)
    with pytest.raises(AsrError, match="'IY0', which is not among the 6 units"):
        build(kind="phones", phones=("DH", "AH0", "K", "AE1", "T", "S"))


def test_files_that_are_missing_or_damaged_are_named(build):
    config, built = build(kind="phones")
    with pytest.raises(AsrError, match=LEXICON):
        load_units(config, built.tokens, {LETTER_TO_SOUND: built.files[LETTER_TO_SOUND]})
    with pytest.raises(AsrError, match=LETTER_TO_SOUND):
        load_units(config, built.tokens, {**built.files, LETTER_TO_SOUND: b"?"})
    with pytest.raises(AsrError, match=f"{LEXICON}:1: 'THE' has the symbol 'DH'"):
        load_units(config, ["<blank>", "|", "AH"], built.files)


def test_stress_and_own_phones_contradict_each_other():
    tree = {"corpus": {"source": "folder", "root": "x"}, "units": {"stress": True, "phones": ["A"]}}
    with pytest.raises(AsrError, match=r"units\.stress or units\.phones"):
        parse_config(tree, "x")


def test_a_vocabulary_is_spelled_in_every_way_and_what_cannot_be_is_named(build):
    config, built = build(kind="phones")
    units = load_units(config, built.tokens, built.files)
    spelled, strange = spell_words(["THE", "QUIZ", "TACT", "CAT"], units)
    assert [word for word, _ in spelled] == ["THE", "THE", "TACT", "CAT"] and strange == ["QUIZ"]
    assert [units.decode(ids) for word, ids in spelled if word == "THE"] == ["DH AH", "DH IY"]


def test_pieces_bring_the_model_of_sentencepiece(build):
    config, built = build(kind="bpe", pieces=10)
    assert list(built.files) == list(config.files) == [PIECES]
    assert built.told[0].startswith("10 classes, pieces of words of 1.")
    units = load_units(config, built.tokens, built.files)
    assert units.decode(units.encode("THE CAT")) == units.reference("THE CAT") == "THE CAT"
    with pytest.raises(AsrError, match="belong to different models"):
        load_units(config, [*built.tokens, "X"], built.files)
