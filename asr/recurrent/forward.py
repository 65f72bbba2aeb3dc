"""Recurrent cells over time in numba: one direction of one layer, on one thread. `backward` is the way back.

One loop walks time for all cells; a step is a matrix product or two (`product`) and what a cell does to each
unit before and after, as vector instructions. The backward direction walks time from the end; a row whose
last frame is not reached yet keeps its initial state, so no row is ever turned around.

Rows are sorted, longest first, and only frames that count are there: frame 0 of all rows, then frame 1 of
the rows that have one, and so on. The rows at work in a frame are the first `counts[t]`, so padding costs
nothing.

Arrays are contiguous and float32: P frames of all rows, T of the longest, N rows, F inputs, H hidden units,
G sums a unit, D directions. `x[a:b, c:d]`, with both slices, gives numba one kind of array for all products.
"""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_fast, compiled_part, compiled_part_fast
from asr.recurrent.nonlinear import sigmoid, tanh
from asr.recurrent.product import Array, multiply, pack_turned, room

CELLS = ("gru", "gru_reset_after", "lstm", "rnn")
"""A kernel is told the cell by its place here."""
GRU, RESET_AFTER, LSTM, RNN = range(4)
CHUNK = 256
"""Frames of all rows for one product: enough to be fast, few enough to stay in the cache until used."""


@compiled_part
def shared_sums(cell: int, width: int) -> int:
    """How many of the G·H sums read h_{t-1} in one product: all but those behind a GRU's reset gate."""
    return width // 3 * 2 if cell in (GRU, RESET_AFTER) else width


@compiled_fast
def forward(
    cell: int,
    inputs: Array,
    counts: NDArray[np.int64],
    direction: int,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array,
    bias_candidate: Array,
    gates: Array,
    befores: Array,
    memories: Array,
    recurrents: Array,
    hidden: Array,
    memory: Array,
    outputs: Array,
) -> None:
    """One direction of a cell of `asr.recurrent.cells`.

    Args:
        cell: its place in `CELLS`.
        inputs: (P, F).
        counts: (T,), rows that have a frame t; they sum to P and never rise.
        direction: 0 reads forward, 1 backward.
        weight_ih: (G·H, F).
        weight_hh: (G·H, H).
        bias: (1, G·H).
        bias_candidate: (1, H), b_hh of `gru_reset_after`; empty of others.
        gates: (P, G·H), becomes the gates and candidates, in the order of the weights. This and the next
            three may be empty where nobody wants them.
        befores, memories: (P, H), becomes h, and of an LSTM c, before each frame.
        recurrents: (P, H), becomes q = U_h h_{t-1} + b_hh of `gru_reset_after`; empty of others.
        hidden, memory: (N, H), h_0, and c_0 of an LSTM; becomes that after each row's last step.
        outputs: (P, D·H); the part of this direction is written.
    """
    places, features = inputs.shape
    width, size = weight_hh.shape
    shared = shared_sums(cell, width)
    weights = room(features, width)
    pack_turned(weight_ih, weights)
    first, second = room(size, shared), room(size, width - shared)
    pack_turned(weight_hh[:shared], first)
    pack_turned(weight_hh[shared:], second)
    reset_state = np.empty(hidden.shape, np.float32)
    if len(gates) < places:
        most = CHUNK + len(hidden)
        gates, befores = np.empty((most, width), np.float32), np.empty((most, size), np.float32)
        memories, recurrents = np.empty((most, size), np.float32), np.empty((most, size), np.float32)
    begin = low = high = places if direction else 0  # of a step, and of a chunk of steps
    origin = 0  # the place that the first row of `gates` stands for
    for step in range(len(counts)):
        rows = counts[len(counts) - 1 - step if direction else step]
        begin -= rows if direction else 0
        end = begin + rows
        if begin < low or end > high:  # the inputs' part, of few enough steps that it stays in the cache
            low, high = _chunk(counts, direction, step, begin, end)
            origin = low if len(gates) < places else 0
            multiply(inputs[low:high, :], weights, bias[:, :], gates[low - origin : high - origin, :])
        now, before = gates[begin - origin : end - origin], befores[begin - origin : end - origin]
        _copy(hidden, before)
        multiply(before[:, :], first, now[:, :shared], now[:, :shared])
        if cell == GRU:
            _reset(now, before, reset_state)
            multiply(reset_state[:rows, :], second, now[:, shared:], now[:, shared:])
            _gru(now, before, hidden)
        elif cell == RESET_AFTER:
            recurrent = recurrents[begin - origin : end - origin]
            multiply(before[:, :], second, bias_candidate[:, :], recurrent[:, :])
            _reset_after(now, recurrent, before, hidden)
        elif cell == LSTM:
            _copy(memory, memories[begin - origin : end - origin])
            _lstm(now, hidden, memory)
        else:
            _rnn(now, hidden)
        for n in range(rows):
            output = outputs[begin + n, direction * size : (direction + 1) * size]
            for j in range(size):
                output[j] = hidden[n, j]
        begin += 0 if direction else rows


@compiled_part
def _chunk(counts: NDArray[np.int64], direction: int, step: int, begin: int, end: int) -> tuple[int, int]:
    """Places of whole steps, this one (`begin` to `end`) and the next: CHUNK or a few more, or all."""
    while end - begin < CHUNK and step + 1 < len(counts):
        step += 1
        if direction:
            begin -= counts[len(counts) - 1 - step]
        else:
            end += counts[step]
    return begin, end


@compiled_part_fast
def _copy(source: Array, target: Array) -> None:
    """The first rows of a matrix, as many as the other has."""
    for n in range(len(target)):
        one, other = source[n], target[n]
        for j in range(len(one)):
            other[j] = one[j]


# A loop of these touches few arrays: where it would have to make sure of many pairs that they do not overlap,
# the compiler gives up and takes one unit at a time.


@compiled_part_fast
def _reset(gates: Array, before: Array, reset_state: Array) -> None:
    """r_t, and r_t ∗ h_{t-1}."""
    size = before.shape[1]
    for n in range(len(gates)):
        r, old, through = gates[n, :size], before[n], reset_state[n]
        for j in range(size):
            r[j] = sigmoid(r[j])
            through[j] = r[j] * old[j]


@compiled_part_fast
def _gru(gates: Array, before: Array, hidden: Array) -> None:
    size = before.shape[1]
    for n in range(len(gates)):
        z, candidate = gates[n, size : 2 * size], gates[n, 2 * size :]
        old, new = before[n], hidden[n]
        for j in range(size):
            z[j] = sigmoid(z[j])
            candidate[j] = tanh(candidate[j])
        for j in range(size):
            new[j] = old[j] + z[j] * (candidate[j] - old[j])


@compiled_part_fast
def _reset_after(gates: Array, recurrents: Array, before: Array, hidden: Array) -> None:
    size = before.shape[1]
    for n in range(len(gates)):
        r, z, candidate = gates[n, :size], gates[n, size : 2 * size], gates[n, 2 * size :]
        recurrent, old, new = recurrents[n], before[n], hidden[n]
        for j in range(size):
            r[j] = sigmoid(r[j])
            z[j] = sigmoid(z[j])
        for j in range(size):
            candidate[j] = tanh(candidate[j] + r[j] * recurrent[j])
        for j in range(size):
            new[j] = candidate[j] + z[j] * (old[j] - candidate[j])


@compiled_part_fast
def _lstm(gates: Array, hidden: Array, memory: Array) -> None:
    size = hidden.shape[1]
    for n in range(len(gates)):
        i, f = gates[n, :size], gates[n, size : 2 * size]
        g, o = gates[n, 2 * size : 3 * size], gates[n, 3 * size :]
        new, c = hidden[n], memory[n]
        for j in range(size):
            i[j] = sigmoid(i[j])
            f[j] = sigmoid(f[j])
        for j in range(size):
            g[j] = tanh(g[j])
            o[j] = sigmoid(o[j])
        for j in range(size):
            c[j] = f[j] * c[j] + i[j] * g[j]
        for j in range(size):
            new[j] = o[j] * tanh(c[j])


@compiled_part_fast
def _rnn(gates: Array, hidden: Array) -> None:
    for n in range(len(gates)):
        gate, new = gates[n], hidden[n]
        for j in range(len(new)):
            gate[j] = tanh(gate[j])
            new[j] = gate[j]
