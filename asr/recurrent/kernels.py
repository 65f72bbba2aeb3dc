"""The GRU over time in numba: one direction of one layer, forward and backward, on one thread.

Products go to BLAS, those with the state step by step, all others once for the whole sequence. Everything
between two products is one fused loop, which the compiler turns into vector instructions because the
hyperbolic tangent is a ratio of two polynomials here. The backward direction walks time from the end; a row
whose last frame is not reached yet keeps its initial state, so no row is ever turned around.

Rows are sorted, longest first, and only frames that count are there: frame 0 of all rows, then frame 1 of
the rows that have one, and so on. The rows at work in a frame are the first `counts[t]`, so padding costs
nothing.

Arrays are contiguous and float32: P frames of all rows, T of the longest, N rows, F inputs, H hidden units,
D directions.
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
Plan = tuple[NDArray[np.uint8], NDArray[np.int32], Array]


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


@compiled_part
def _plan(
    turns_first: bool, turns_second: bool, shape: tuple[int, int, int], lds: tuple[int, int, int], beta: float
) -> Plan:
    """What `_multiply` hands to Fortran by address, made once for all products of one kind.

    Args:
        turns_first, turns_second: whether A (or B) lies in memory as its transpose.
        shape: M, K, N of A (M, K) · B (K, N).
        lds: elements between two rows of A, B and the result, as they lie in memory.
        beta: 0 to set the result, 1 to add to it.
    """
    rows, inner, columns = shape
    # Fortran reads a row-major matrix as its transpose, and outᵀ = Bᵀ Aᵀ: B comes first.
    letters = np.array(
        [ord("T") if turns_second else ord("N"), ord("T") if turns_first else ord("N")], np.uint8
    )
    sizes = np.array([columns, rows, inner, lds[1], lds[0], lds[2]], np.int32)
    return letters, sizes, np.array([1.0, beta], np.float32)


@compiled_part
def _set_rows(plan: Plan, rows: int) -> None:
    """The plan for another number of rows of A."""
    plan[1][1] = rows


@compiled_part
def _multiply(plan: Plan, a: Array, b: Array, out: Array) -> None:
    """out = A · B, or out += A · B, by a plan; the arrays give the addresses of their first elements."""
    letters, sizes, factors = plan
    sgemm(
        letters.ctypes,
        letters[1:].ctypes,
        sizes.ctypes,
        sizes[1:].ctypes,
        sizes[2:].ctypes,
        factors.ctypes,
        b.ctypes,
        sizes[3:].ctypes,
        a.ctypes,
        sizes[4:].ctypes,
        factors[1:].ctypes,
        out.ctypes,
        sizes[5:].ctypes,
    )


@compiled_fast
def gru_forward(
    inputs: Array,
    counts: NDArray[np.int64],
    direction: int,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array,
    gates: Array,
    befores: Array,
    state: Array,
    outputs: Array,
) -> None:
    """One direction of `asr.recurrent.cells.gru`.

    Args:
        inputs: (P, F).
        counts: (T,), rows that have a frame t; they sum to P and never rise.
        direction: 0 reads forward, 1 backward.
        weight_ih: (3H, F), the input's parts of W_r, W_z and W_h.
        weight_hh: (3H, H), the state's parts.
        bias: (3H,).
        gates: (P, 3H), becomes r_t, z_t and h~_t.
        befores: (P, H), becomes the state before each frame.
        state: (N, H), h_0; becomes the state after each row's last step.
        outputs: (P, D·H); the part of this direction is written.
    """
    places, features = inputs.shape
    size, width = state.shape[1], gates.shape[1]
    offset = direction * size
    for p in range(places):
        gates[p] = bias
    project = _plan(False, True, (places, features, width), (features, features, width), 1.0)
    _multiply(project, inputs, weight_ih, gates)
    weight_gates, weight_candidate = weight_hh[: 2 * size].T.copy(), weight_hh[2 * size :].T.copy()
    to_gates = _plan(False, False, (0, size, 2 * size), (size, 2 * size, width), 1.0)
    to_candidate = _plan(False, False, (0, size, size), (size, size, width), 1.0)
    reset_state = np.empty(state.shape, np.float32)
    begin = places if direction else 0
    for step in range(len(counts)):
        rows = counts[len(counts) - 1 - step if direction else step]
        begin -= rows if direction else 0
        now, old = gates[begin : begin + rows], befores[begin : begin + rows]
        for n in range(rows):
            old[n] = state[n]
        _set_rows(to_gates, rows)
        _multiply(to_gates, old, weight_gates, now)
        for n in range(rows):
            gate, before, scratch = now[n], old[n], reset_state[n]
            for j in range(size):
                reset = _sigmoid(gate[j])
                gate[j] = reset
                scratch[j] = reset * before[j]
        _set_rows(to_candidate, rows)
        _multiply(to_candidate, reset_state, weight_candidate, now[:, 2 * size :])
        for n in range(rows):
            gate, before, after = now[n], old[n], state[n]
            output = outputs[begin + n, offset : offset + size]
            for j in range(size):
                update, candidate = _sigmoid(gate[size + j]), _tanh(gate[2 * size + j])
                gate[size + j], gate[2 * size + j] = update, candidate
                mixed = before[j] + update * (candidate - before[j])
                after[j] = mixed
                output[j] = mixed
        begin += 0 if direction else rows


@compiled_fast
def gru_backward(
    grad_outputs: Array,
    grad_state: Array,
    inputs: Array,
    counts: NDArray[np.int64],
    direction: int,
    weight_ih: Array,
    weight_hh: Array,
    gates: Array,
    befores: Array,
    grad_inputs: Array,
    grad_ih: Array,
    grad_hh: Array,
    grad_bias: Array,
) -> None:
    """Carry ∂loss/∂h_t back through time, then to weights and inputs.

    With g = ∂loss/∂h_t (its own output and all that follows) and a_r, a_z, a_h the arguments of σ, σ, tanh:

        ∂a_h = g ∗ z ∗ (1 − h~²)                ∂a_z = g ∗ (h~ − h_{t-1}) ∗ z ∗ (1 − z)
        ∂(r∗h) = W_hᵀ ∂a_h                      ∂a_r = ∂(r∗h) ∗ h_{t-1} ∗ r ∗ (1 − r)
        ∂h_{t-1} = g ∗ (1 − z) + ∂(r∗h) ∗ r + W_rᵀ ∂a_r + W_zᵀ ∂a_z

    Args:
        grad_outputs: (P, D·H), ∂loss/∂h_t through the layer's output alone.
        grad_state: (N, H), ∂loss/∂h_T through the final state; becomes ∂loss/∂h_0.
        inputs, counts, direction, weight_ih, weight_hh, gates, befores: as `gru_forward` had and left them.
        grad_inputs: (P, F), written; or empty.
        grad_ih, grad_hh, grad_bias: (3H, F), (3H, H), (3H,), written.
    """
    places, features = inputs.shape
    size, width = befores.shape[1], gates.shape[1]
    offset, one = direction * size, np.float32(1)
    grads = np.empty((places, width), np.float32)
    reset_states = np.empty((places, size), np.float32)
    grad_reset_state = np.empty(grad_state.shape, np.float32)
    from_candidate = _plan(False, False, (0, size, size), (width, size, size), 0.0)
    from_gates = _plan(False, False, (0, 2 * size, size), (width, size, size), 1.0)
    begin = 0 if direction else places
    for step in range(len(counts)):
        rows = counts[step if direction else len(counts) - 1 - step]
        begin -= 0 if direction else rows
        now, old = grads[begin : begin + rows], befores[begin : begin + rows]
        for n in range(rows):
            gate, grad, before, carried = gates[begin + n], now[n], old[n], grad_state[n]
            output = grad_outputs[begin + n, offset : offset + size]
            for j in range(size):
                g = carried[j] + output[j]
                z, c = gate[size + j], gate[2 * size + j]
                grad[size + j] = g * (c - before[j]) * z * (one - z)
                grad[2 * size + j] = g * z * (one - c * c)
                carried[j] = g * (one - z)
        _set_rows(from_candidate, rows)
        _multiply(from_candidate, now[:, 2 * size :], weight_hh[2 * size :], grad_reset_state)
        for n in range(rows):
            gate, grad, before, carried = gates[begin + n], now[n], old[n], grad_state[n]
            through, reset_state = grad_reset_state[n], reset_states[begin + n]
            for j in range(size):
                r = gate[j]
                reset_state[j] = r * before[j]
                carried[j] += through[j] * r
                grad[j] = through[j] * before[j] * r * (one - r)
        _set_rows(from_gates, rows)
        _multiply(from_gates, now, weight_hh, grad_state)
        begin += rows if direction else 0
    to_ih = _plan(True, False, (width, places, features), (width, features, features), 0.0)
    _multiply(to_ih, grads, inputs, grad_ih)
    to_hh = _plan(True, False, (2 * size, places, size), (width, size, size), 0.0)
    _multiply(to_hh, grads, befores, grad_hh)
    to_candidate = _plan(True, False, (size, places, size), (width, size, size), 0.0)
    _multiply(to_candidate, grads[:, 2 * size :], reset_states, grad_hh[2 * size :])
    grad_bias[:] = 0
    for p in range(places):
        grad = grads[p]
        for j in range(width):
            grad_bias[j] += grad[j]
    if grad_inputs.size:
        to_inputs = _plan(False, False, (places, width, features), (width, features, features), 0.0)
        _multiply(to_inputs, grads, weight_ih, grad_inputs)
