"""The GRU's recurrence over time in numba: what cannot be one large matrix product.

Products with the state go to BLAS step by step; everything between two products is one fused loop, which the
compiler turns into vector instructions because the hyperbolic tangent is a ratio of two polynomials here.
Arrays are time-major, contiguous and float32: T frames, N rows, H hidden units.
"""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_fast, compiled_part, inlined_fast
from asr.recurrent.blas import sgemm

# Minimax ratio of polynomials for tanh on [-8, 8], as Eigen uses it in single precision.
_P1, _P3, _P5, _P7 = 4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08
_P9, _P11, _P13 = -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16
_Q0, _Q2, _Q4, _Q6 = 4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06
_LIMIT = 7.99881172180175781

Array = NDArray[np.float32]
Scratch = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.uint8]]


@inlined_fast
def _tanh(x: np.float32) -> np.float32:
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
def _sigmoid(x: np.float32) -> np.float32:
    """σ(x) = (1 + tanh(x / 2)) / 2."""
    return np.float32(0.5) * _tanh(np.float32(0.5) * x) + np.float32(0.5)


@compiled_fast
def gru_forward(
    gates: Array, candidate: Array, states: Array, weight_gates: Array, weight_candidate: Array
) -> None:
    """Run `asr.recurrent.cells.gru` over time, in place.

    Args:
        gates: (T, N, 2H), the input's part of r and z; becomes r_t and z_t.
        candidate: (T, N, H), the input's part of h~; becomes h~_t.
        states: (T + 1, N, H); row 0 holds h_0, the others become h_1 to h_T.
        weight_gates: (H, 2H), the state's part of W_r and W_z, transposed.
        weight_candidate: (H, H), the state's part of W_h, transposed.
    """
    frames, rows, size = candidate.shape
    reset_state = np.empty((rows, size), np.float32)
    to_gates, to_candidate = _scratch_for(rows, size, 2 * size), _scratch_for(rows, size, size)
    for t in range(frames):
        gate, cand, state, new = gates[t], candidate[t], states[t], states[t + 1]
        _multiply(state, weight_gates, gate, to_gates)
        for n in range(rows):
            for j in range(size):
                reset = _sigmoid(gate[n, j])
                gate[n, j] = reset
                reset_state[n, j] = reset * state[n, j]
        _multiply(reset_state, weight_candidate, cand, to_candidate)
        for n in range(rows):
            for j in range(size):
                update, c = _sigmoid(gate[n, size + j]), _tanh(cand[n, j])
                gate[n, size + j], cand[n, j] = update, c
                new[n, j] = state[n, j] + update * (c - state[n, j])


@compiled_fast
def gru_backward(
    grad_outputs: Array,
    grad_state: Array,
    gates: Array,
    candidate: Array,
    states: Array,
    weight_gates: Array,
    weight_candidate: Array,
) -> None:
    """Carry ∂loss/∂h_t back through time; gates and candidate become the gradients of their sums, in place.

    With g = ∂loss/∂h_t (its own output and all that follows) and a_r, a_z, a_h the arguments of σ, σ, tanh:

        ∂a_h = g ∗ z ∗ (1 − h~²)                ∂a_z = g ∗ (h~ − h_{t-1}) ∗ z ∗ (1 − z)
        ∂(r∗h) = W_hᵀ ∂a_h                      ∂a_r = ∂(r∗h) ∗ h_{t-1} ∗ r ∗ (1 − r)
        ∂h_{t-1} = g ∗ (1 − z) + ∂(r∗h) ∗ r + W_rᵀ ∂a_r + W_zᵀ ∂a_z

    Args:
        grad_outputs: (T, N, H), ∂loss/∂h_t through the layer's output alone.
        grad_state: (N, H), ∂loss/∂h_T through the final state; becomes ∂loss/∂h_0.
        gates: (T, N, 2H), r_t and z_t; become ∂a_r and ∂a_z.
        candidate: (T, N, H), h~_t; becomes ∂a_h.
        states: (T + 1, N, H), h_0 to h_T.
        weight_gates: (2H, H), the state's part of W_r and W_z.
        weight_candidate: (H, H), the state's part of W_h.
    """
    frames, rows, size = candidate.shape
    one = np.float32(1)
    grad_reset_state = np.empty((rows, size), np.float32)
    from_candidate, from_gates = _scratch_for(rows, size, size), _scratch_for(rows, 2 * size, size)
    for t in range(frames - 1, -1, -1):
        gate, cand, state, grad_output = gates[t], candidate[t], states[t], grad_outputs[t]
        for n in range(rows):
            for j in range(size):
                g = grad_state[n, j] + grad_output[n, j]
                z, c = gate[n, size + j], cand[n, j]
                cand[n, j] = g * z * (one - c * c)
                gate[n, size + j] = g * (c - state[n, j]) * z * (one - z)
                grad_state[n, j] = g * (one - z)
        grad_reset_state[:] = 0
        _multiply(cand, weight_candidate, grad_reset_state, from_candidate)
        for n in range(rows):
            for j in range(size):
                r, grad = gate[n, j], grad_reset_state[n, j]
                grad_state[n, j] += grad * r
                gate[n, j] = grad * state[n, j] * r * (one - r)
        _multiply(gate, weight_gates, grad_state, from_gates)


@compiled_part
def _multiply(
    a: Array,
    b: Array,
    out: Array,
    scratch: Scratch,
) -> None:
    """out (N, M) += a (N, K) · b (K, M), all contiguous.

    Args:
        scratch: from `_scratch_for`; made once for all products of one shape.
    """
    sizes, factors, plain = scratch
    # Fortran reads a row-major matrix as its transpose, and outᵀ = bᵀ aᵀ.
    sgemm(
        plain.ctypes,
        plain.ctypes,
        sizes.ctypes,
        sizes[1:].ctypes,
        sizes[2:].ctypes,
        factors.ctypes,
        b.ctypes,
        sizes.ctypes,
        a.ctypes,
        sizes[2:].ctypes,
        factors.ctypes,
        out.ctypes,
        sizes.ctypes,
    )


@compiled_part
def _scratch_for(rows: int, inner: int, columns: int) -> Scratch:
    """What `_multiply` hands to Fortran by address: (M, N, K), the factor 1, the letter N."""
    return (
        np.array([columns, rows, inner], np.int32),
        np.ones(1, np.float32),
        np.full(1, ord("N"), np.uint8),
    )
