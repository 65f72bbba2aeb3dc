"""What the optimiser does to which parameters."""

import pytest
import torch

from asr.model.acoustic import AcousticModel
from asr.training.state import State


@pytest.mark.parametrize("cell", ["gru", "gru_reset_after", "sligru"])
def test_weights_decay_and_biases_and_norms_do_not(tmp_path, cell):
    model = AcousticModel(
        num_bins=8,
        num_classes=5,
        subsampling=3,
        channels=2,
        cell=cell,
        hidden_size=4,
        num_layers=1,
        bidirectional=True,
        dropout=0.0,
        residual=True,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    state = State(
        model,
        learning_rate=0.1,
        weight_decay=0.5,
        ema=0.0,
        scales_loss=False,
        folder=tmp_path,
        fingerprint="",
    )
    state.optimiser.step()
    for name, parameter in model.named_parameters():
        decays = name.endswith(("weight_ih", "weight_hh")) or name in (
            *(f"front_end.{part}.weight" for part in ("first", "second", "projection")),
            "output.weight",
        )
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.95 if decays else 1.0), msg=name)
