"""Recurrent cells as their papers write them: readable, differentiated by autograd, the specification.

Shapes: N rows, T frames, F inputs, H hidden units. Every function runs one direction over a padded batch
whose rows all begin at frame 0; what it computes on the padding after a row's end is never used.
"""

import torch
from torch import Tensor


def gru(inputs: Tensor, state: Tensor, weight_hh: Tensor) -> Tensor:
    """Gated recurrent unit whose reset gate acts before the product (Cho et al. 2014, eqs. 5 to 8).

        r_t = σ(W_r [h_{t-1}, x_t] + b_r)
        z_t = σ(W_z [h_{t-1}, x_t] + b_z)
        h~_t = tanh(W_h [r_t ∗ h_{t-1}, x_t] + b_h)
        h_t = (1 − z_t) ∗ h_{t-1} + z_t ∗ h~_t

    Args:
        inputs: (N, T, 3H), the parts of the three sums that depend on x_t and the bias, in order r, z, h.
        state: (N, H), h_0.
        weight_hh: (3H, H), the parts of W_r, W_z and W_h that multiply the state.

    Returns:
        (N, T, H), h_1 to h_T.
    """
    size = state.shape[1]
    weight_gates, weight_candidate = weight_hh[: 2 * size], weight_hh[2 * size :]
    outputs = []
    for frame in inputs.unbind(1):
        gates = torch.sigmoid(frame[:, : 2 * size] + state @ weight_gates.T)
        reset, update = gates[:, :size], gates[:, size:]
        candidate = torch.tanh(frame[:, 2 * size :] + (reset * state) @ weight_candidate.T)
        state = (1 - update) * state + update * candidate
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def gru_reset_after(inputs: Tensor, state: Tensor, weight_hh: Tensor, bias_candidate: Tensor) -> Tensor:
    """The form of cuDNN and `torch.nn.GRU`: the reset gate acts after the product (Cho et al. 2014, v1).

        r_t = σ(W_r [h_{t-1}, x_t] + b_r)
        z_t = σ(W_z [h_{t-1}, x_t] + b_z)
        h~_t = tanh(W_hx x_t + b_hx + r_t ∗ (W_hh h_{t-1} + b_hh))
        h_t = z_t ∗ h_{t-1} + (1 − z_t) ∗ h~_t

    Note that z_t keeps the old state here, where in `gru` it takes the new one.

    Args:
        inputs: (N, T, 3H), in order r, z, h; b_r, b_z and b_hx are in it.
        state: (N, H), h_0.
        weight_hh: (3H, H).
        bias_candidate: (H,), b_hh.

    Returns:
        (N, T, H), h_1 to h_T.
    """
    size = state.shape[1]
    outputs = []
    for frame in inputs.unbind(1):
        recurrent = state @ weight_hh.T
        gates = torch.sigmoid(frame[:, : 2 * size] + recurrent[:, : 2 * size])
        reset, update = gates[:, :size], gates[:, size:]
        candidate = torch.tanh(frame[:, 2 * size :] + reset * (recurrent[:, 2 * size :] + bias_candidate))
        state = update * state + (1 - update) * candidate
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def rnn(inputs: Tensor, state: Tensor, weight_hh: Tensor) -> Tensor:
    """The simple recurrent network (Elman 1990, with tanh).

        h_t = tanh(W [h_{t-1}, x_t] + b)

    Args:
        inputs: (N, T, H), the part of the sum that depends on x_t and the bias.
        state: (N, H), h_0.
        weight_hh: (H, H).

    Returns:
        (N, T, H), h_1 to h_T.
    """
    outputs = []
    for frame in inputs.unbind(1):
        state = torch.tanh(frame + state @ weight_hh.T)
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def lstm(inputs: Tensor, state: Tensor, weight_hh: Tensor) -> Tensor:
    """Long short-term memory with a forget gate (Gers et al. 2000), without peepholes, as `torch.nn.LSTM`.

        i_t = σ(W_i [h_{t-1}, x_t] + b_i)        f_t = σ(W_f [h_{t-1}, x_t] + b_f)
        g_t = tanh(W_g [h_{t-1}, x_t] + b_g)     o_t = σ(W_o [h_{t-1}, x_t] + b_o)
        c_t = f_t ∗ c_{t-1} + i_t ∗ g_t          h_t = o_t ∗ tanh(c_t)

    Args:
        inputs: (N, T, 4H), in order i, f, g, o.
        state: (N, 2H), h_0 and after it c_0.
        weight_hh: (4H, H).

    Returns:
        (N, T, 2H): h_t and after it c_t.
    """
    hidden, cell = state.chunk(2, dim=1)
    outputs = []
    for frame in inputs.unbind(1):
        i, f, g, o = (frame + hidden @ weight_hh.T).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        outputs.append(torch.cat([hidden, cell], dim=1))
    return torch.stack(outputs, dim=1)


def ligru(inputs: Tensor, state: Tensor, weight_hh: Tensor) -> Tensor:
    """Light GRU: no reset gate, a ReLU candidate, batch norm on the input part (Ravanelli et al. 2018).

        z_t = σ(BN(W_z x_t) + U_z h_{t-1})
        h~_t = ReLU(BN(W_h x_t) + U_h h_{t-1})
        h_t = z_t ∗ h_{t-1} + (1 − z_t) ∗ h~_t

    Args:
        inputs: (N, T, 2H), BN(W x_t) in order z, h; the batch norm's shift is the bias.
        state: (N, H), h_0.
        weight_hh: (2H, H), U_z and U_h.

    Returns:
        (N, T, H), h_1 to h_T.
    """
    outputs = []
    for frame in inputs.unbind(1):
        update, candidate = (frame + state @ weight_hh.T).chunk(2, dim=1)
        update = torch.sigmoid(update)
        state = update * state + (1 - update) * torch.relu(candidate)
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def sligru(inputs: Tensor, state: Tensor, weight_hh: Tensor) -> Tensor:
    """Stabilised light GRU: layer norm bounds the recurrent part (Moumen and Parcollet 2023).

        z_t, h~_t = σ, ReLU of BN(W x_t) + LN(U h_{t-1})
        h_t = z_t ∗ h_{t-1} + (1 − z_t) ∗ h~_t

    LN is taken over the 2H sums of both together and has no parameters.

    Args, Returns: as `ligru`.
    """
    outputs = []
    for frame in inputs.unbind(1):
        recurrent = torch.nn.functional.layer_norm(state @ weight_hh.T, weight_hh.shape[:1])
        update, candidate = (frame + recurrent).chunk(2, dim=1)
        update = torch.sigmoid(update)
        state = update * state + (1 - update) * torch.relu(candidate)
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def mingru(inputs: Tensor, state: Tensor) -> Tensor:
    """minGRU: gate and candidate see x_t alone, so that all frames are computed at once (Feng et al. 2024).

        z_t = σ(W_z x_t + b_z)        h~_t = W_h x_t + b_h
        h_t = (1 − z_t) ∗ h_{t-1} + z_t ∗ h~_t

    A step is h_t = a_t ∗ h_{t-1} + b_t, and two steps are one of the same form. So ⌈log₂ T⌉ rounds, each
    joining every frame's steps with as many before them, give all h_t (Hillis and Steele 1986). No a_t is
    above 1 and none is divided by: nothing overflows, and no logarithms are needed.

    Args:
        inputs: (N, T, 2H), in order z, h.
        state: (N, H), h_0.

    Returns:
        (N, T, H), h_1 to h_T.
    """
    update, candidate = inputs.chunk(2, dim=2)
    decay, added = torch.sigmoid(-update), torch.sigmoid(update) * candidate
    reach = 1
    while reach < inputs.shape[1]:
        joined = decay[:, reach:] * added[:, :-reach] + added[:, reach:]
        added = torch.cat([added[:, :reach], joined], dim=1)
        decay = torch.cat([decay[:, :reach], decay[:, reach:] * decay[:, :-reach]], dim=1)
        reach *= 2
    return decay * state[:, None] + added
