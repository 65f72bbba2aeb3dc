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

from asr.compiled import compiled_fast, compiled_part, inlined_fast
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
        gates: (P, G·H), becomes the gates and candidates, in the order of the weights.
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
    low = high = begin = places if direction else 0  # `gates` has the input's part of sums from low to high
    for step in range(len(counts)):
        rows = counts[len(counts) - 1 - step if direction else step]
        begin -= rows if direction else 0
        end = begin + rows
        if begin < low:  # a chunk at a time, which stays in the cache until the state's part comes to it
            low, high = max(0, min(begin, low - CHUNK)), low
            multiply(inputs[low:high, :], weights, bias[:, :], gates[low:high, :])
        elif end > high:
            low, high = high, min(places, max(end, high + CHUNK))
            multiply(inputs[low:high, :], weights, bias[:, :], gates[low:high, :])
        now, before = gates[begin:end], befores[begin:end]
        _copy(hidden, before)
        multiply(before[:, :], first, now[:, :shared], now[:, :shared])
        if cell == GRU:
            _reset(now, before, reset_state)
            multiply(reset_state[:rows, :], second, now[:, shared:], now[:, shared:])
            _gru(now, before, hidden)
        elif cell == RESET_AFTER:
            recurrent = recurrents[begin:end]
            multiply(before[:, :], second, bias_candidate[:, :], recurrent[:, :])
            _reset_after(now, recurrent, before, hidden)
        elif cell == LSTM:
            _copy(memory, memories[begin:end])
            _lstm(now, hidden, memory)
        else:
            _rnn(now, hidden)
        for n in range(rows):
            output = outputs[begin + n, direction * size : (direction + 1) * size]
            for j in range(size):
                output[j] = hidden[n, j]
        begin += 0 if direction else rows


@inlined_fast
def _copy(source: Array, target: Array) -> None:
    """The first rows of a matrix, as many as the other has."""
    for n in range(len(target)):
        one, other = source[n], target[n]
        for j in range(len(one)):
            other[j] = one[j]


@inlined_fast
def _reset(gates: Array, before: Array, reset_state: Array) -> None:
    """r_t, and r_t ∗ h_{t-1}."""
    for n in range(len(gates)):
        gate, old, through = gates[n], before[n], reset_state[n]
        for j in range(len(old)):
            r = sigmoid(gate[j])
            gate[j] = r
            through[j] = r * old[j]


@inlined_fast
def _gru(gates: Array, before: Array, hidden: Array) -> None:
    size = hidden.shape[1]
    for n in range(len(gates)):
        gate, old, new = gates[n], before[n], hidden[n]
        for j in range(size):
            z, candidate = sigmoid(gate[size + j]), tanh(gate[2 * size + j])
            gate[size + j], gate[2 * size + j] = z, candidate
            new[j] = old[j] + z * (candidate - old[j])


@inlined_fast
def _reset_after(gates: Array, recurrents: Array, before: Array, hidden: Array) -> None:
    size = hidden.shape[1]
    for n in range(len(gates)):
        gate, recurrent, old, new = gates[n], recurrents[n], before[n], hidden[n]
        for j in range(size):
            r, z = sigmoid(gate[j]), sigmoid(gate[size + j])
            candidate = tanh(gate[2 * size + j] + r * recurrent[j])
            gate[j], gate[size + j], gate[2 * size + j] = r, z, candidate
            new[j] = candidate + z * (old[j] - candidate)


@inlined_fast
def _lstm(gates: Array, hidden: Array, memory: Array) -> None:
    size = hidden.shape[1]
    for n in range(len(gates)):
        gate, new, c = gates[n], hidden[n], memory[n]
        for j in range(size):
            i, f = sigmoid(gate[j]), sigmoid(gate[size + j])
            g, o = tanh(gate[2 * size + j]), sigmoid(gate[3 * size + j])
            gate[j], gate[size + j], gate[2 * size + j], gate[3 * size + j] = i, f, g, o
            c[j] = f * c[j] + i * g
            new[j] = o * tanh(c[j])


@inlined_fast
def _rnn(gates: Array, hidden: Array) -> None:
    for n in range(len(gates)):
        gate, new = gates[n], hidden[n]
        for j in range(len(new)):
            new[j] = tanh(gate[j])
            gate[j] = new[j]
