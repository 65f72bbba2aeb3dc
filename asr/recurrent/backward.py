"""The way back through `forward`: the gradients of docs/gru.md in numba, under the same letters.

∂loss/∂h_t walks back through time; a step is again a product or two and a loop over units. The weights'
gradients need all frames, but no frame waits for them: what they need is collected until a chunk of frames is
full, and then each takes it in as one product. The gradient of the chunk's inputs is another. So nothing as
long as the sequence is kept.
"""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_fast, compiled_part, compiled_part_fast
from asr.recurrent.forward import CHUNK, GRU, LSTM, RESET_AFTER, shared_sums
from asr.recurrent.nonlinear import tanh
from asr.recurrent.product import Array, multiply, pack, room


@compiled_fast
def backward(
    cell: int,
    grad_outputs: Array,
    carried: Array,
    carried_memory: Array,
    inputs: Array,
    counts: NDArray[np.int64],
    direction: int,
    weight_ih: Array,
    weight_hh: Array,
    gates: Array,
    befores: Array,
    memories: Array,
    recurrents: Array,
    grad_inputs: Array,
    grad_ih: Array,
    grad_hh: Array,
    grad_bias: Array,
    grad_candidate: Array,
) -> None:
    """One direction.

    Args:
        grad_outputs: (P, D·H), ∂loss/∂h_t through the layer's output alone.
        carried, carried_memory: (N, H), ∂loss/∂h_T through the final state, and of an LSTM ∂loss/∂c_T;
            becomes that of the initial state.
        cell, inputs, counts, direction, weight_ih, weight_hh, gates, befores, memories, recurrents: as
            `forward` had and left them.
        grad_inputs: (P, F), written; or empty.
        grad_ih, grad_hh, grad_bias, grad_candidate: zeros of the shapes of what they belong to; written.
    """
    places, features = inputs.shape
    width, size = weight_hh.shape
    shared = shared_sums(cell, width)
    first, second = room(shared, size), room(width - shared, size)
    pack(weight_hh[:shared], first)
    pack(weight_hh[shared:], second)
    to_inputs = room(width, features if len(grad_inputs) else 0)
    if len(grad_inputs):
        pack(weight_ih, to_inputs)
    most = CHUNK + len(carried)
    grads, behind = np.empty((most, width), np.float32), np.empty((most, size), np.float32)
    panels = room(most, features), room(most, size)
    through, nothing = np.empty(carried.shape, np.float32), np.zeros((1, max(size, features)), np.float32)
    low = high = 0 if direction else places  # the chunk
    for step in range(len(counts)):
        rows = counts[step if direction else len(counts) - 1 - step]
        begin = high if direction else low - rows
        end = begin + rows
        low, high = min(low, begin), max(high, end)
        origin = low if direction else high - most  # the place of the first row of `grads`
        now, back = grads[begin - origin : end - origin], behind[begin - origin : end - origin]
        gate, before = gates[begin:end], befores[begin:end]
        for n in range(rows):
            grad, output = carried[n], grad_outputs[begin + n, direction * size : (direction + 1) * size]
            for j in range(size):
                grad[j] += output[j]
        if cell == GRU:
            _gru(gate, before, carried, now)
            multiply(now[:, shared:], second, nothing[:, :size], through[:rows, :])
            _reset(gate, before, through, carried, now, back)
        elif cell == RESET_AFTER:
            _reset_after(gate, recurrents[begin:end], before, carried, now, back)
            multiply(back[:, :], second, carried[:rows, :], carried[:rows, :])
        elif cell == LSTM:
            _lstm(gate, memories[begin:end], carried, carried_memory, now)
        else:
            _rnn(gate, carried, now)
        multiply(now[:, :shared], first, carried[:rows, :], carried[:rows, :])
        if high - low >= CHUNK or step == len(counts) - 1:
            full = slice(low - origin, high - origin)
            _collect(
                cell, grads[full], behind[full], inputs[low:high], befores[low:high],
                panels, grad_ih, grad_hh, grad_bias, grad_candidate,
            )  # fmt: skip
            if len(grad_inputs):
                multiply(grads[full][:, :], to_inputs, nothing[:, :features], grad_inputs[low:high, :])
            low = high = end if direction else begin


@compiled_part
def _collect(
    cell: int,
    grads: Array,
    behind: Array,
    inputs: Array,
    before: Array,
    panels: tuple[Array, Array],
    grad_ih: Array,
    grad_hh: Array,
    grad_bias: Array,
    grad_candidate: Array,
) -> None:
    """Add a chunk's part to the gradients of weights and biases.

    Args:
        grads: (p, G·H), ∂loss/∂a of the arguments a of the non-linearities.
        behind: (p, H), what lies behind a GRU's reset gate: of `gru` r ∗ h_{t-1}, which U_h reads instead
            of h_{t-1}; of `gru_reset_after` ∂loss/∂q, which U_h gets instead of ∂loss/∂a_h.
    """
    shared = shared_sums(cell, grads.shape[1])
    _add_rows(grads, grad_bias)
    pack(inputs, panels[0])
    multiply(grads[:, :].T, panels[0], grad_ih[:, :], grad_ih[:, :])
    pack(before, panels[1])
    multiply(grads[:, :shared].T, panels[1], grad_hh[:shared, :], grad_hh[:shared, :])
    if cell == GRU:
        pack(behind, panels[1])
        multiply(grads[:, shared:].T, panels[1], grad_hh[shared:, :], grad_hh[shared:, :])
    elif cell == RESET_AFTER:
        multiply(behind[:, :].T, panels[1], grad_hh[shared:, :], grad_hh[shared:, :])
        _add_rows(behind, grad_candidate)


@compiled_part_fast
def _add_rows(rows: Array, total: Array) -> None:
    """The sum of the rows, added to `total` (1, …)."""
    total_row = total[0]
    for p in range(len(rows)):
        row = rows[p]
        for j in range(len(row)):
            total_row[j] += row[j]


# Each loop touches few arrays, as in `forward`.


@compiled_part_fast
def _gru(gates: Array, before: Array, carried: Array, grads: Array) -> None:
    """∂loss/∂a_z and ∂loss/∂a_h; of g = ∂loss/∂h_t the first of the four ways to h_{t-1}."""
    size, one = before.shape[1], np.float32(1)
    for n in range(len(gates)):
        z, candidate, old = gates[n, size : 2 * size], gates[n, 2 * size :], before[n]
        g, d_a_z, d_a_h = carried[n], grads[n, size : 2 * size], grads[n, 2 * size :]
        for j in range(size):
            d_a_z[j] = g[j] * (candidate[j] - old[j]) * z[j] * (one - z[j])
        for j in range(size):
            d_a_h[j] = g[j] * z[j] * (one - candidate[j] * candidate[j])
            g[j] *= one - z[j]


@compiled_part_fast
def _reset(gates: Array, before: Array, through: Array, carried: Array, grads: Array, behind: Array) -> None:
    """With ∂loss/∂(r ∗ h_{t-1}): ∂loss/∂a_r, the second way, and r ∗ h_{t-1} again."""
    size, one = before.shape[1], np.float32(1)
    for n in range(len(gates)):
        r, old, way = gates[n, :size], before[n], carried[n]
        d_a_r, product, d_product = grads[n, :size], behind[n], through[n]
        for j in range(size):
            d_a_r[j] = d_product[j] * old[j] * r[j] * (one - r[j])
        for j in range(size):
            product[j] = r[j] * old[j]
            way[j] += d_product[j] * r[j]


@compiled_part_fast
def _reset_after(
    gates: Array, recurrents: Array, before: Array, carried: Array, grads: Array, behind: Array
) -> None:
    size, one = before.shape[1], np.float32(1)
    for n in range(len(gates)):
        r, z, candidate = gates[n, :size], gates[n, size : 2 * size], gates[n, 2 * size :]
        g, recurrent, old, d_recurrent = carried[n], recurrents[n], before[n], behind[n]
        d_a_r, d_a_z, d_a_h = grads[n, :size], grads[n, size : 2 * size], grads[n, 2 * size :]
        for j in range(size):
            d_a_z[j] = g[j] * (old[j] - candidate[j]) * z[j] * (one - z[j])
        for j in range(size):
            d_a_h[j] = g[j] * (one - z[j]) * (one - candidate[j] * candidate[j])
            g[j] *= z[j]
        for j in range(size):
            d_a_r[j] = d_a_h[j] * recurrent[j] * r[j] * (one - r[j])
            d_recurrent[j] = d_a_h[j] * r[j]


@compiled_part_fast
def _lstm(gates: Array, before: Array, carried: Array, carried_memory: Array, grads: Array) -> None:
    """`before` is c_{t-1}."""
    size, one = before.shape[1], np.float32(1)
    for n in range(len(gates)):
        i, f = gates[n, :size], gates[n, size : 2 * size]
        g, o = gates[n, 2 * size : 3 * size], gates[n, 3 * size :]
        d_a_i, d_a_f = grads[n, :size], grads[n, size : 2 * size]
        d_a_g, d_a_o = grads[n, 2 * size : 3 * size], grads[n, 3 * size :]
        old, d_h, d_c = before[n], carried[n], carried_memory[n]
        tanh_c = d_a_o  # until its place is needed
        for j in range(size):
            tanh_c[j] = tanh(f[j] * old[j] + i[j] * g[j])
        for j in range(size):
            d_c[j] += d_h[j] * o[j] * (one - tanh_c[j] * tanh_c[j])
        for j in range(size):
            d_a_o[j] = d_h[j] * tanh_c[j] * o[j] * (one - o[j])
            d_h[j] = np.float32(0)
        for j in range(size):
            d_a_i[j] = d_c[j] * g[j] * i[j] * (one - i[j])
            d_a_g[j] = d_c[j] * i[j] * (one - g[j] * g[j])
        for j in range(size):
            d_a_f[j] = d_c[j] * old[j] * f[j] * (one - f[j])
            d_c[j] *= f[j]


@compiled_part_fast
def _rnn(gates: Array, carried: Array, grads: Array) -> None:
    one = np.float32(1)
    for n in range(len(gates)):
        h, grad, way = gates[n], grads[n], carried[n]
        for j in range(len(h)):
            grad[j] = way[j] * (one - h[j] * h[j])
            way[j] = np.float32(0)
