"""Recurrent layers over padded batches: one interface for every cell."""

import math

import torch
from torch import Tensor, nn

from asr.recurrent import by_hand, cells
from asr.recurrent.batch_norm import InputNorm
from asr.recurrent.fast import fast_layer

SUMS = {"gru": 3, "gru_reset_after": 3, "lstm": 4, "rnn": 1, "ligru": 2, "sligru": 2, "mingru": 2}
"""Weighted sums that each hidden unit of a cell needs in a step."""
CELLS = tuple(SUMS)


class Recurrent(nn.Module):
    """A stack of recurrent layers, batch first, over rows of any lengths.

    A bidirectional layer reads each row forward and, in the order of its own frames reversed, backward; the
    two outputs are concatenated. The result of a row never depends on padding, nor on its neighbours, with
    one exception: `ligru` and `sligru` in training mode normalise by the valid frames of the whole batch. In
    evaluation mode their rows are independent too.

    The state of a row has S numbers: S = H, but for `lstm` S = 2H, h and after it c.

    Args:
        input_size: F.
        hidden_size: H.
        cell: `gru` (reset gate before the product), `gru_reset_after` (the form of `torch.nn.GRU`), `lstm`,
            `rnn` (tanh), `ligru`, `sligru` or `mingru`; their equations are in `asr.recurrent.cells`.
        num_layers: layers one upon another.
        bidirectional: D = 2 directions instead of 1.
        dropout: between layers, while training.
        check_nan: look for NaN in every input; a loop that diagnoses NaN itself can save the look.

    Raises:
        ValueError: an unknown cell or an impossible size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cell: str = "gru",
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        check_nan: bool = True,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; expected one of {', '.join(CELLS)}")
        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError("input_size, hidden_size and num_layers must be 1 or more")
        self.cell, self.num_layers = cell, num_layers
        self.input_size, self.hidden_size = input_size, hidden_size
        self.state_size = 2 * hidden_size if cell == "lstm" else hidden_size
        self.directions = 2 if bidirectional else 1
        self.dropout, self.check_nan = nn.Dropout(dropout), check_nan
        sizes = [input_size] + [self.directions * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(Layer(size, hidden_size, cell, self.directions) for size in sizes)

    def forward(self, x: Tensor, lens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the stack.

        Args:
            x: (N, T, F), float.
            lens: (N,), integer, from 1 to T: the frames of each row that count.
            state: (L·D, N, S), the state before the first frame; zeros if None.

        Returns:
            y: (N, T, D·H), zeros after a row's end.
            state: (L·D, N, S), after each row's last frame (its first, in the backward direction).

        Raises:
            ValueError: a shape or a length does not fit.
        """
        self._check(x, lens, state)
        if state is None:
            state = x.new_zeros(self.num_layers * self.directions, len(x), self.state_size)
        own = next(self.parameters()).dtype  # under autocast too: a state adds up over hundreds of frames
        x, state = x.to(own), state.to(own)
        lens = lens.to(x.device, torch.int64)
        y, finals = x.transpose(0, 1), []
        for index, (layer, start) in enumerate(
            zip(self.layers, torch.split(state, self.directions), strict=True)
        ):
            y, final = layer(self.dropout(y) if index else y, lens, start)
            finals.append(final)
        return y.transpose(0, 1), torch.cat(finals)

    def _check(self, x: Tensor, lens: Tensor, state: Tensor | None) -> None:
        size = self.input_size
        if x.dim() != 3 or x.shape[2] != size:
            raise ValueError(f"x: expected (N, T, {size}), found {tuple(x.shape)}")
        whole = not (lens.is_floating_point() or lens.is_complex() or lens.dtype == torch.bool)
        if lens.shape != x.shape[:1] or not whole:
            raise ValueError(f"lens: expected {x.shape[0]} integers, found {tuple(lens.shape)} {lens.dtype}")
        if lens.numel() and (int(lens.min()) < 1 or int(lens.max()) > x.shape[1]):
            raise ValueError(f"lens: expected lengths from 1 to {x.shape[1]}, found {lens.tolist()}")
        expected = (self.num_layers * self.directions, x.shape[0], self.state_size)
        if state is not None and state.shape != expected:
            raise ValueError(f"state: expected {expected}, found {tuple(state.shape)}")
        own = self.layers[0].weight_ih.dtype
        for name, tensor in (("x", x), ("state", state)):
            if tensor is None or tensor.dtype == own:
                continue
            if not (tensor.is_floating_point() and torch.is_autocast_enabled(x.device.type)):
                raise ValueError(f"{name}: expected {own} as the weights are, found {tensor.dtype}")
        if self.check_nan and x.sum().isnan():  # a sum costs less than a look at each, and shows any NaN
            valid = torch.arange(x.shape[1], device=x.device) < lens.to(x.device)[:, None]  # (N, T)
            places = (x.isnan().any(2) & valid).nonzero()
            if len(places):
                row, frame = places[0].tolist()
                raise ValueError(f"x: expected numbers, found NaN in row {row}, frame {frame}")


class Layer(nn.Module):
    """One layer of D directions, time-major; see `Recurrent`."""

    def __init__(self, input_size: int, hidden_size: int, cell: str, directions: int) -> None:
        super().__init__()
        self.cell, self.hidden_size = cell, hidden_size
        width = SUMS[cell] * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(directions, width, input_size))
        if cell != "mingru":
            self.weight_hh = nn.Parameter(torch.empty(directions, width, hidden_size))
        self.bias = nn.Parameter(torch.zeros(directions, width))
        if cell == "gru_reset_after":
            self.bias_candidate = nn.Parameter(torch.zeros(directions, hidden_size))
        if cell in ("ligru", "sligru"):
            self.norm = InputNorm(directions, width)
        self._draw()

    @torch.no_grad()
    def _draw(self) -> None:
        """Uniform within ± 1 / √H; orthogonal for the state before a ReLU, which is stable."""
        bound = 1 / math.sqrt(self.hidden_size)
        nn.init.uniform_(self.weight_ih, -bound, bound)
        if self.cell in ("ligru", "sligru"):
            for block in self.weight_hh.view(-1, self.hidden_size, self.hidden_size):
                nn.init.orthogonal_(block)
        elif self.cell != "mingru":
            nn.init.uniform_(self.weight_hh, -bound, bound)

    def forward(self, x: Tensor, lens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run all directions.

        Args:
            x: (T, N, F).
            lens: (N,), int64, on the device of x.
            state: (D, N, S).

        Returns:
            (T, N, D·H), zeros after a row's end, and (D, N, S), the state after each row's last step.
        """
        if self.cell in by_hand.CELLS and x.device.type == "cpu" and x.dtype == torch.float32 and len(x):
            weights = self.weight_ih, self.weight_hh, self.bias
            return fast_layer(self.cell, x, lens, state, *weights, getattr(self, "bias_candidate", None))
        mask = torch.arange(len(x), device=x.device)[:, None] < lens  # (T, N)
        x = x.masked_fill(~mask[..., None], 0.0)  # padding may be NaN, which no product with 0 takes away
        places = _turning(mask)
        inputs = torch.stack([x, _turn(x, places)]) if len(self.weight_ih) == 2 else x[None]
        states = self._run(inputs, state, mask)
        final = _last_states(states, mask, state)
        y = states[..., : self.hidden_size] * mask[..., None]  # of an LSTM's h and c, h
        if len(y) == 2:
            return torch.cat([y[0], _turn(y[1], places)], dim=-1), final
        return y[0], final

    def _run(self, inputs: Tensor, state: Tensor, mask: Tensor) -> Tensor:
        """Each direction's inputs in its own order (D, T, N, F), (D, N, S), (T, N) -> (D, T, N, S).

        In the precision that they have, under autocast too.
        """
        if self.cell == "gru_reset_after" and inputs.is_cuda:
            return self._cudnn(inputs, state)
        with torch.autocast(inputs.device.type, enabled=False):
            one = self._by_hand if self.cell in by_hand.CELLS else self._by_autograd
            return torch.stack([one(inputs[d], state[d], mask, d) for d in range(len(inputs))])

    def _by_hand(self, inputs: Tensor, state: Tensor, mask: Tensor, d: int) -> Tensor:
        """One direction whose gradient is written out: (T, N, F), (N, S) -> (T, N, S)."""
        candidate = self.bias_candidate[d] if self.cell == "gru_reset_after" else None
        weights = self.weight_ih[d], self.weight_hh[d], self.bias[d]
        return by_hand.recurrence(self.cell, inputs, state, *weights, candidate)

    def _by_autograd(self, inputs: Tensor, state: Tensor, mask: Tensor, d: int) -> Tensor:
        """One direction of a cell that torch differentiates: (T, N, F), (N, H), (T, N) -> (T, N, H)."""
        sums = inputs @ self.weight_ih[d].T
        if self.cell == "mingru":
            return cells.mingru((sums + self.bias[d]).transpose(0, 1), state).transpose(0, 1)
        sums = self.norm(sums, mask, d) + self.bias[d]
        # An open update gate keeps the state over padding: nothing there can grow out of bounds.
        update, candidate = sums.chunk(2, dim=-1)
        update = update.masked_fill(~mask[..., None], math.inf)
        candidate = candidate.masked_fill(~mask[..., None], 0.0)
        sums = torch.cat([update, candidate], dim=-1).transpose(0, 1)
        cell = cells.ligru if self.cell == "ligru" else cells.sligru
        return cell(sums, state, self.weight_hh[d]).transpose(0, 1)

    def _cudnn(self, inputs: Tensor, state: Tensor) -> Tensor:
        """`gru_reset_after` by cuDNN, one direction a call because each reads its own order.

        Without autocast, which would give cuDNN mixed types. It computes a gradient only of what it was told
        is training, which an evaluated model may want too; nothing else depends on that.
        """
        outputs, train = [], self.training or torch.is_grad_enabled()
        with torch.autocast("cuda", enabled=False):
            for d in range(len(inputs)):
                bias_hh = torch.cat([self.bias[d].new_zeros(2 * self.hidden_size), self.bias_candidate[d]])
                weights = [self.weight_ih[d], self.weight_hh[d], self.bias[d], bias_hh]
                first = state[d : d + 1].contiguous()
                y, _ = torch._VF.gru(inputs[d], first, weights, True, 1, 0.0, train, False, False)
                outputs.append(y)
        return torch.stack(outputs)


def _turning(mask: Tensor) -> Tensor:
    """(T·N,) places that turn each row around within its length; padding keeps its place.

    For mask (T, N). Turning twice gives back the order before.
    """
    frames, rows = (torch.arange(size, device=mask.device) for size in mask.shape)
    source = torch.where(mask, mask.sum(0) - 1 - frames[:, None], frames[:, None])
    return (source * mask.shape[1] + rows).flatten()


def _turn(x: Tensor, places: Tensor) -> Tensor:
    """(T, N, F) with each row in the order of `_turning`."""
    return x.reshape(-1, x.shape[2]).index_select(0, places).view(x.shape)


def _last_states(y: Tensor, mask: Tensor, state: Tensor) -> Tensor:
    """(D, N, S): y (D, T, N, S) at each row's last frame; `state` for a row without frames."""
    last = mask.sum(0) - 1
    picked = y[:, last.clamp(min=0), torch.arange(len(last), device=y.device)]
    return torch.where((last >= 0)[:, None], picked, state)
