"""Sound through a lossy codec and back, in memory: what a compressed copy of a recording has lost."""

import io

import numpy as np
import soundfile
import torch
from torch import Tensor

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
LEVELS = {"MP3": (0.80, 0.95), "OGG": (0.60, 1.00)}
"""From the mildest to the strongest compression that is drawn, in libsndfile's measure of 0 to 1.

Of speech at 16 kHz they make 40 to 16 kbit/s of MP3 and 45 to 28 kbit/s of Vorbis.
"""

_SUBTYPES = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}
_MP3_DELAY = 1105  # samples: 576 of LAME's encoder and 529 of every decoder


def through_codec(waveform: Tensor, sample_rate: int, kind: str, level: float) -> Tensor:
    """Encode and decode: (S,) -> (S,), each sample at the time where it was.

    Where the bit rate leaves room for LAME's tag, the decoder takes the codec's delay off; where it does not,
    the sound comes back later and longer, and the delay is taken off here.

    Args:
        waveform: float32 (S,).
        sample_rate: in Hz; for MP3 one of `MP3_RATES`.
        kind: "MP3" or "OGG" (Vorbis).
        level: of compression, from 0 to 1.
    """
    file = io.BytesIO()
    subtype = _SUBTYPES[kind]
    soundfile.write(file, waveform.numpy(), sample_rate, subtype, format=kind, compression_level=level)
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    late = max(0, len(heard) - len(waveform))
    begin = min(_MP3_DELAY, late) if kind == "MP3" else 0
    kept = np.zeros(len(waveform), np.float32)
    part = heard[begin : begin + len(kept)]
    kept[: len(part)] = part
    return torch.from_numpy(kept)
