"""Looking inside: what the gates of a model do while it hears one utterance."""

from asr.inspection.utterance import Inspection, inspect_file

__all__ = ["Inspection", "inspect_file"]
