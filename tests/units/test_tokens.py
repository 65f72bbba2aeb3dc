"""tokens.txt: what is written is read back, and every damage is named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.units.tokens import BLANK, SPACE, read_tokens, write_tokens


def test_line_number_is_class(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    write_tokens(path, [BLANK, SPACE, "'", "A"])
    assert path.read_bytes() == b"<blank>\n|\n'\nA\n"
    assert read_tokens(path) == [BLANK, SPACE, "'", "A"]


@given(
    tokens=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1), unique=True)
)
@settings(max_examples=60, deadline=None)
def test_any_tokens_survive_the_disk(tmp_path_factory: pytest.TempPathFactory, tokens: list[str]) -> None:
    """Separators of other scripts (U+2028, U+0085, form feed) are part of a token, not the end of a line."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    tokens = [BLANK, *(token for token in tokens if token != BLANK)]
    write_tokens(path, tokens)
    assert read_tokens(path) == tokens


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    path.write_bytes(b"<blank>\r\n|\r\nA\r\n")
    assert read_tokens(path) == [BLANK, SPACE, "A"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "found none"),
        (b"|\nA\n", "tokens.txt: <blank> expected as the first token, found '|'"),
        (b"\xef\xbb\xbf<blank>\n|\n", "expected as the first token"),
        (b"<blank>\n|\nA", "cut short"),
        (b"<blank>\n|\n\nA\n", "tokens.txt:3: a token expected, found an empty line"),
        (b"<blank>\n|\nA\nB\nA\n", "tokens.txt:5: every token is expected once, 'A' is on line 3 too"),
        (b"<blank>\n|\n\xff\n", "UTF-8 expected, byte 10 is not"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_bytes(content)
    with pytest.raises(AsrError) as caught:
        read_tokens(path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"none\.txt: the tokens cannot be read \(No such file"):
        read_tokens(tmp_path / "none.txt")
    with pytest.raises(AsrError, match="cannot be read"):
        read_tokens(tmp_path)


@pytest.mark.parametrize("tokens", [[], [SPACE, "A"], [BLANK, "A", "A"], [BLANK, ""], [BLANK, "A\nB"]])
def test_nothing_wrong_is_written(tmp_path: Path, tokens: list[str]) -> None:
    with pytest.raises(AsrError):
        write_tokens(tmp_path / "tokens.txt", tokens)
    assert list(tmp_path.iterdir()) == []
