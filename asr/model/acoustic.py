"""The acoustic model: features → log-probabilities of the units, frame by frame."""

import torch
from torch import Tensor, nn

from asr.recurrent import Recurrent

STRIDES = {2: (2, 1), 3: (3, 1), 4: (2, 2)}
"""Subsampling in time by the two convolutions of the front end."""


class AcousticModel(nn.Module):
    """Convolutions that subsample, a stack of recurrent layers, a linear output with log-softmax.

    Each recurrent layer reads the layer-normalised output of what is below it; with `residual` its result is
    added to that output (pre-norm). Dropout draws one mask a row and keeps it over time, so that a recurrent
    layer cannot read a dropped feature from a neighbouring frame (Gal and Ghahramani 2016). `layer_drop`
    leaves out whole layers, for each row by chance, so that none relies on all of those below it (G. Huang et
    al., "Deep networks with stochastic depth", ECCV 2016; one probability for all layers).

    Args:
        num_bins: F, features a frame.
        num_classes: C, units and the blank.
        subsampling: 2, 3 or 4 input frames become one output frame.
        channels: feature maps of the convolutions.
        cell: see `asr.recurrent.Recurrent`.
        hidden_size: H, of each direction.
        num_layers: recurrent layers.
        bidirectional: read the utterance in both directions.
        dropout: probability, after the front end and after each recurrent layer.
        residual: add each layer's input to its output.
        layer_drop: probability that a row passes a layer by in training; needs `residual`.

    Raises:
        ValueError: `layer_drop` without `residual`.
    """

    def __init__(
        self,
        *,
        num_bins: int,
        num_classes: int,
        subsampling: int,
        channels: int,
        cell: str,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        residual: bool,
        layer_drop: float = 0.0,
    ) -> None:
        super().__init__()
        if layer_drop and not residual:
            raise ValueError("layer_drop needs residual: without it, nothing passes by a layer")
        width = hidden_size * (2 if bidirectional else 1)
        self.residual = residual
        self.front_end = FrontEnd(num_bins, width, channels, subsampling)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(num_layers))
        self.layers = nn.ModuleList(
            Recurrent(width, hidden_size, cell=cell, bidirectional=bidirectional, check_nan=False)
            for _ in range(num_layers)
        )
        self.dropout = LockedDropout(dropout)
        self.layer_drop = LockedDropout(layer_drop, whole_rows=True)
        self.output_norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, num_classes)
        self.intermediate: IntermediateOutput | None = None

    def add_intermediate(self, layer: int, num_classes: int) -> None:
        """Give the model a second output above its first `layer` recurrent layers, for training alone.

        Raises:
            ValueError: the model has fewer layers.
        """
        most = len(self.layers)
        if not 1 <= layer <= most:
            raise ValueError(f"an intermediate output above 1 to {most} layers expected, got {layer}")
        self.intermediate = IntermediateOutput(layer, self.output.in_features, num_classes)

    def forward(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Score every class in every output frame.

        Args:
            feats: (N, T, F), padded with anything.
            feat_lens: (N,), integer.

        Returns:
            log_probs: (N, T', C), natural logarithms; after a row's end they mean nothing.
            log_prob_lens: (N,), integer: ⌈feat_lens / subsampling⌉.
        """
        x, lens = self.front_end(feats, feat_lens)
        x = self._climb(self.dropout(x), lens, 0, len(self.layers))
        return self._classify(x), lens

    def forward_both(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, with the log-probabilities of the intermediate output between its two results.

        Their shape is (N, T', C of the intermediate output).
        """
        assert self.intermediate is not None, "add_intermediate comes first"
        x, lens = self.front_end(feats, feat_lens)
        x = self._climb(self.dropout(x), lens, 0, self.intermediate.layer)
        halfway = self.intermediate(x)
        x = self._climb(x, lens, self.intermediate.layer, len(self.layers))
        return self._classify(x), halfway, lens

    def _climb(self, x: Tensor, lens: Tensor, first: int, end: int) -> Tensor:
        """Through the recurrent layers from `first` to before `end`."""
        for index in range(first, end):
            y, _ = self.layers[index](self.norms[index](x), lens)
            y = self.layer_drop(self.dropout(y))
            x = x + y if self.residual else y
        return x

    def _classify(self, x: Tensor) -> Tensor:
        log_probs: Tensor = self.output(self.output_norm(x)).log_softmax(dim=-1)
        return log_probs

    def output_lens(self, feat_lens: Tensor) -> Tensor:
        """(N,) output frames for (N,) input frames."""
        return self.front_end.output_lens(feat_lens)


class FrontEnd(nn.Module):
    """Two convolutions over time and frequency, then a projection to the width of the recurrent layers.

    Frames after a row's end are set to zero before each convolution, as its own padding is, so that a row in
    a batch gives what it gives alone.
    """

    def __init__(self, num_bins: int, width: int, channels: int, subsampling: int) -> None:
        super().__init__()
        self.strides = STRIDES[subsampling]
        self.first = nn.Conv2d(1, channels, (5, 5), stride=(self.strides[0], 2), padding=2)
        self.second = nn.Conv2d(channels, channels, (3, 3), stride=(self.strides[1], 2), padding=1)
        bins = (num_bins + 3) // 4  # halved twice, rounded up
        self.projection = nn.Linear(channels * bins, width)

    def forward(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, F), (N,) -> (N, T', width), (N,)."""
        x, lens = feats[:, None], feat_lens
        for convolution, stride in zip((self.first, self.second), self.strides, strict=True):
            frames = torch.arange(x.shape[2], device=x.device)
            x = x.masked_fill((frames >= lens.to(x.device)[:, None])[:, None, :, None], 0.0)
            x = torch.relu(convolution(x))
            lens = _ceil_divide(lens, stride)
        return self.projection(x.transpose(1, 2).flatten(2)), lens

    def output_lens(self, feat_lens: Tensor) -> Tensor:
        for stride in self.strides:
            feat_lens = _ceil_divide(feat_lens, stride)
        return feat_lens


class IntermediateOutput(nn.Module):
    """A second linear output with log-softmax, whose CTC loss reaches the layers below it on a shorter way.

    J. Lee and S. Watanabe, "Intermediate loss regularization for CTC-based speech recognition", ICASSP 2021;
    with units nearer to the sound than those of the output, as in S. Toshniwal et al., "Multitask learning
    with low-level auxiliary tasks for encoder-decoder based speech recognition", Interspeech 2017.
    """

    def __init__(self, layer: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.layer = layer
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T', width) -> (N, T', C)."""
        log_probs: Tensor = self.output(self.norm(x)).log_softmax(dim=-1)
        return log_probs


class LockedDropout(nn.Module):
    """Dropout with one mask a row, the same in every frame; or of all features of a row together."""

    def __init__(self, probability: float, *, whole_rows: bool = False) -> None:
        super().__init__()
        self.probability, self.whole_rows = probability, whole_rows

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, F) -> (N, T, F)."""
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        num_features = 1 if self.whole_rows else x.shape[2]
        return x * x.new_empty(x.shape[0], 1, num_features).bernoulli_(keep).div_(keep)


def _ceil_divide(lens: Tensor, divisor: int) -> Tensor:
    return torch.div(lens + divisor - 1, divisor, rounding_mode="floor")
