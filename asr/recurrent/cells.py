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
