"""Audio to text: reading, features, model and decoder joined for inference.

A file becomes pieces of at most half a minute, cut at pauses (`listening`); the pieces of a window of files
become batches of like length (`batches`); a search reads each (`searches`); and what it read is put together
again, file by file, in the order given (`results`). `recogniser` joins them. Memory holds one window,
whatever the length of the files and their number.
"""

from asr.transcribe.listening import PIECE_SECONDS, SILENCE
from asr.transcribe.recogniser import Recogniser
from asr.transcribe.results import Alternative, Failure, Transcript

__all__ = ["PIECE_SECONDS", "SILENCE", "Alternative", "Failure", "Recogniser", "Transcript"]
