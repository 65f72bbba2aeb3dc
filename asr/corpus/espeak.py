"""The espeak-ng synthesiser through ctypes, from the library that the package espeakng-loader carries.

The C interface is declared in espeak-ng's `speak_lib.h`. The library keeps its state in global variables
and is not safe to use from two threads. Some of that state (the phase of the voice's flutter, the gain
control) passes from one sentence to the next: the same sentences give the same samples only when they are
spoken in the same order from a freshly started process.
"""

import ctypes
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError

OUTPUT_SYNCHRONOUS = 2
DO_NOT_EXIT = 0x8000
CHARS_UTF8 = 1
POSITION_CHARACTER = 1
EVENT_END_OF_LIST, EVENT_WORD = 0, 1
RATE, PITCH = 1, 3

NO_BREAK_SPACE = "\u00a0"


class _Event(ctypes.Structure):
    """`espeak_EVENT`; the last member is a union of eight bytes that nobody reads here."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, counted from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_uint64),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Speech:
    """What espeak-ng said.

    Attributes:
        samples: int16 (S,) at `Speaker.sample_rate`.
        starts: where each word begins, in seconds; None where espeak-ng's word events do not fit the words.
    """

    samples: NDArray[np.int16]
    starts: list[float] | None


def require_espeak() -> None:
    """Check that espeak-ng is installed.

    Raises:
        AsrError: it is not; the sentence says how to install it.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise AsrError(
            "synthesised speech needs espeak-ng, which is not installed here; "
            "run `pip install espeakng-loader` (or install asr with its extra: `pip install '.[synth]'`)"
        )


class Speaker:
    """espeak-ng, loaded and ready; one a process.

    Attributes:
        sample_rate: of all speech, in Hz.
        version: of espeak-ng.

    Raises:
        AsrError: espeak-ng is not installed, or its library or data cannot be loaded.
    """

    def __init__(self) -> None:
        require_espeak()
        import espeakng_loader

        self._data = Path(espeakng_loader.get_data_path())
        try:
            self._library = _declare(ctypes.CDLL(espeakng_loader.get_library_path()))
        except (OSError, AttributeError) as error:
            raise AsrError(
                f"espeak-ng's library cannot be loaded ({error}); run `pip install -U espeakng-loader`"
            ) from error
        self.sample_rate: int = self._library.espeak_Initialize(
            OUTPUT_SYNCHRONOUS, 0, str(self._data).encode(), DO_NOT_EXIT
        )
        if self.sample_rate <= 0:
            raise AsrError(
                f"{self._data}: espeak-ng cannot read its data there; its limit for this path is about 150 "
                "characters, so use a virtual environment with a shorter path, or install it again"
            )
        self._library.espeak_ng_SetRandSeed(1)  # for the noise of breathy voices; else the clock seeds it
        self.version: str = self._library.espeak_Info(None).decode()
        self._chunks: list[NDArray[np.int16]] = []
        self._word_events: list[tuple[int, int]] = []
        self._callback = _CALLBACK(self._receive)  # kept: ctypes does not hold a reference
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(
        self, words: Sequence[str], *, accent: str, variant: str, rate: int, pitch: int, ending: str = "."
    ) -> Speech:
        """Say one sentence.

        Args:
            words: without punctuation.
            accent, variant: names of an espeak-ng voice and of one of its voice variants.
            rate: words a minute.
            pitch: 0 to 99.
            ending: "." or "?", which changes the melody.

        Raises:
            AsrError: espeak-ng has no such voice or cannot speak.
        """
        self._choose_voice(accent, variant)
        self._library.espeak_SetParameter(RATE, rate, 0)
        self._library.espeak_SetParameter(PITCH, pitch, 0)
        self._chunks.clear()
        self._word_events.clear()
        # A no-break space keeps espeak-ng from merging pairs such as "in the" into one word event.
        text = (NO_BREAK_SPACE.join(words) + ending).encode()
        status = self._library.espeak_Synth(
            text, len(text) + 1, 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None
        )
        if status != 0 or not self._chunks:
            raise AsrError(f"espeak-ng could not say “{' '.join(words)}” (status {status})")
        return Speech(np.concatenate(self._chunks), self._word_starts(words))

    def _choose_voice(self, accent: str, variant: str) -> None:
        # espeak-ng falls back on the plain voice without a word where there is no such variant
        has_variant = (self._data / "voices" / "!v" / variant).is_file()
        if not has_variant or self._library.espeak_SetVoiceByName(f"{accent}+{variant}".encode()) != 0:
            raise AsrError(
                f"espeak-ng {self.version} has no voice {accent}+{variant}; run "
                "`pip install -U espeakng-loader`"
            )

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        """espeak-ng's callback: a piece of sound, and what begins in it."""
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != EVENT_END_OF_LIST:
            if events[index].type == EVENT_WORD:
                self._word_events.append((events[index].text_position, events[index].audio_position))
            index += 1
        return 0

    def _word_starts(self, words: Sequence[str]) -> list[float] | None:
        """Seconds of the events, if there is exactly one at the first character of each word."""
        lengths = [len(word) + 1 for word in words]
        expected = [1 + sum(lengths[:index]) for index in range(len(words))]
        if [position for position, _ in self._word_events] != expected:
            return None
        return [milliseconds / 1000 for _, milliseconds in self._word_events]


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Give the functions their C types.

    Raises:
        AttributeError: the library lacks one of them.
    """
    text, integer, unsigned, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p
    types: dict[str, tuple[Any, list[Any]]] = {
        "espeak_Initialize": (integer, [integer, integer, text, integer]),
        "espeak_Info": (text, [pointer]),
        "espeak_SetSynthCallback": (None, [_CALLBACK]),
        "espeak_SetVoiceByName": (integer, [text]),
        "espeak_SetParameter": (integer, [integer, integer, integer]),
        "espeak_ng_SetRandSeed": (integer, [ctypes.c_long]),
        "espeak_Synth": (
            integer,
            [text, ctypes.c_size_t, unsigned, integer, unsigned, unsigned, pointer, pointer],
        ),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = result
    return library
