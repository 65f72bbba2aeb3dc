"""The two non-linearities of every gate, as loops of vector instructions can hold them.

Functions of other modules that call these are not compiled again when these change: see `asr.compiled`.
"""

import numpy as np

from asr.compiled import inlined_fast

# Minimax ratio of polynomials for tanh on [-8, 8], as Eigen uses it in single precision.
_P1, _P3, _P5, _P7 = 4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08
_P9, _P11, _P13 = -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16
_Q0, _Q2, _Q4, _Q6 = 4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06
_LIMIT = 7.99881172180175781


@inlined_fast
def tanh(x: np.float32) -> np.float32:
    """Hyperbolic tangent within 4e-7 of the true one, without a branch or a call."""
    x = min(max(x, np.float32(-_LIMIT)), np.float32(_LIMIT))
    s = x * x
    p = np.float32(_P13)
    p = s * p + np.float32(_P11)
    p = s * p + np.float32(_P9)
    p = s * p + np.float32(_P7)
    p = s * p + np.float32(_P5)
    p = s * p + np.float32(_P3)
    p = s * p + np.float32(_P1)
    q = np.float32(_Q6)
    q = s * q + np.float32(_Q4)
    q = s * q + np.float32(_Q2)
    q = s * q + np.float32(_Q0)
    return x * p / q


@inlined_fast
def sigmoid(x: np.float32) -> np.float32:
    """σ(x) = (1 + tanh(x / 2)) / 2."""
    return np.float32(0.5) * tanh(np.float32(0.5) * x) + np.float32(0.5)
