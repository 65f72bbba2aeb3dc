"""Weights from and to the recurrent layers of torch, exactly: both sides then compute the same."""

import torch
from torch import nn

from asr.errors import AsrError
from asr.recurrent.layer import Layer, Recurrent

TorchLayers = nn.GRU | nn.LSTM | nn.RNN
_CELLS: dict[type[nn.Module], str] = {nn.GRU: "gru_reset_after", nn.LSTM: "lstm", nn.RNN: "rnn"}


def from_torch(module: TorchLayers) -> Recurrent:
    """The layers of `nn.GRU` (as `gru_reset_after`), `nn.LSTM` or `nn.RNN`.

    `Recurrent` is batch first whatever `module.batch_first` says. torch's two biases become one where they
    are only ever added. The order of layers and directions in a state is torch's; an LSTM's (h, c) is
    `torch.cat([h, c], dim=-1)` here. The update gate of `gru_reset_after` mixes as torch's does, so no sign
    changes. Device, precision, dropout and training mode are kept.

    Raises:
        AsrError: a projection (`proj_size`) or `nonlinearity="relu"`, which no cell here has.
    """
    cell = _CELLS.get(type(module))
    if cell is None:
        found = type(module).__name__
        raise AsrError(f"from_torch: nn.GRU, nn.LSTM or nn.RNN was expected, {found} was found")
    if module.proj_size:
        found = f"proj_size={module.proj_size}"
        raise AsrError(f"from_torch: {found} has no counterpart here; use an LSTM without projection")
    if module.mode == "RNN_RELU":
        raise AsrError(
            'from_torch: the cell "rnn" is tanh, nonlinearity="relu" was found; train it with tanh'
        )
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are overwritten
        ours = Recurrent(
            module.input_size,
            module.hidden_size,
            cell=cell,
            num_layers=module.num_layers,
            bidirectional=module.bidirectional,
            dropout=module.dropout,
        )
    ours.to(module.get_parameter("weight_ih_l0"))
    with torch.no_grad():
        for index, layer in enumerate(ours.layers):
            assert isinstance(layer, Layer)
            for d in range(ours.directions):
                _take(layer, d, module, _suffix(index, d))
    return ours.train(module.training)


def to_torch(recurrent: Recurrent) -> TorchLayers:
    """The module of torch that computes the same: batch first, with biases.

    Raises:
        AsrError: torch has no such cell.
    """
    _check_has_counterpart(recurrent.cell)
    kind = {cell: kind for kind, cell in _CELLS.items()}[recurrent.cell]
    with torch.random.fork_rng(devices=[]):
        theirs: TorchLayers = kind(  # type: ignore[assignment]
            recurrent.input_size,
            recurrent.hidden_size,
            num_layers=recurrent.num_layers,
            batch_first=True,
            dropout=recurrent.dropout.p,
            bidirectional=recurrent.directions == 2,
        )
    first = recurrent.layers[0]
    assert isinstance(first, Layer)
    theirs.to(first.weight_ih)
    with torch.no_grad():
        for index, layer in enumerate(recurrent.layers):
            assert isinstance(layer, Layer)
            for d in range(recurrent.directions):
                _give(layer, d, theirs, _suffix(index, d))
    return theirs.train(recurrent.training)


def _check_has_counterpart(cell: str) -> None:
    if cell == "gru":
        raise AsrError(
            'to_torch: cell="gru" applies the reset gate before the product with the state and nn.GRU after '
            'it, so no weights of nn.GRU compute the same; train with cell="gru_reset_after" to convert'
        )
    if cell not in _CELLS.values():
        raise AsrError(
            f'to_torch: torch has no layer that computes cell="{cell}"; gru_reset_after, lstm and rnn convert'
        )


def _suffix(layer: int, direction: int) -> str:
    return f"l{layer}" + ("_reverse" if direction else "")


def _take(layer: Layer, d: int, module: TorchLayers, suffix: str) -> None:
    layer.weight_ih[d] = getattr(module, f"weight_ih_{suffix}")
    layer.weight_hh[d] = getattr(module, f"weight_hh_{suffix}")
    if not module.bias:
        return
    bias_ih, bias_hh = (getattr(module, f"bias_{side}_{suffix}") for side in ("ih", "hh"))
    if layer.cell != "gru_reset_after":
        layer.bias[d] = bias_ih + bias_hh
        return
    gates = 2 * layer.hidden_size  # the candidate's second bias stays apart: the reset gate multiplies it
    layer.bias[d] = bias_ih
    layer.bias[d, :gates] += bias_hh[:gates]
    layer.bias_candidate[d] = bias_hh[gates:]


def _give(layer: Layer, d: int, module: TorchLayers, suffix: str) -> None:
    getattr(module, f"weight_ih_{suffix}").copy_(layer.weight_ih[d])
    getattr(module, f"weight_hh_{suffix}").copy_(layer.weight_hh[d])
    getattr(module, f"bias_ih_{suffix}").copy_(layer.bias[d])
    bias_hh = getattr(module, f"bias_hh_{suffix}")
    bias_hh.zero_()
    if layer.cell == "gru_reset_after":
        bias_hh[2 * layer.hidden_size :] = layer.bias_candidate[d]
