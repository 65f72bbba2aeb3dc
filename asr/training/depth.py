"""Which layers learn, and how fast: freezing by name, and rates that fall with depth."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from asr.errors import AsrError
from asr.model.acoustic import AcousticModel


def freeze(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Keep layers as they are: their weights get no gradient.

    Args:
        model: whose layers.
        patterns: names of layers or weights, such as `front_end`, `layers.0`, `norms.*`.

    Returns:
        names of the weights that are frozen.

    Raises:
        AsrError: nothing has one of the names, or nothing is left to learn.
    """
    weights = dict(model.named_parameters())
    frozen: list[str] = []
    for pattern in patterns:
        found = [name for name in weights if _is_meant(name, pattern)]
        if not found:
            raise AsrError(
                f'training.frozen: no layer is called "{pattern}"; the layers are '
                f"{', '.join(layer_names(model))}, and the names of their weights may be given too"
            )
        frozen += [name for name in found if name not in frozen]
    if len(frozen) == len(weights):
        raise AsrError("training.frozen: all layers are frozen, so nothing would be learnt; name fewer")
    for name in frozen:
        weights[name].requires_grad_(False)
    return frozen


def rest_frozen_statistics(model: nn.Module) -> None:
    """Keep the running statistics of frozen layers (batch normalisation in `ligru`) as they are, too.

    To be called after `model.train()`, which sets them going again.
    """
    for module in model.modules():
        weights = list(module.parameters())
        has_own_statistics = next(module.buffers(recurse=False), None) is not None
        if has_own_statistics and weights and not any(weight.requires_grad for weight in weights):
            module.eval()


def running_statistics(model: nn.Module) -> list[Tensor]:
    """The running statistics of batch normalisation, which `ligru` and `sligru` have."""
    names = ("running_mean", "running_var")
    return [buffer for name, buffer in model.named_buffers() if name.rpartition(".")[2] in names]


def layer_names(model: nn.Module) -> list[str]:
    """Names of the layers in the order in which sound passes them, each of a list by its number."""
    return [
        f"{name}.{number}" if number else name
        for name, child in model.named_children()
        for number in ([str(n) for n in range(len(child))] if isinstance(child, nn.ModuleList) else [""])
        if any(True for _ in child.parameters())
    ]


def rate_factors(model: AcousticModel, decay: float) -> dict[str, float]:
    """What the learning rate of each weight is multiplied by: decay^d at depth d below the output.

    d is 0 for the output and its norm, 1 for the last of L recurrent layers and its norm, L for the first,
    L + 1 for the front end. What lies near the sound is the same for all speakers and words, and few examples
    would only disturb it (J. Howard and S. Ruder, "Universal language model fine-tuning for text
    classification", ACL 2018, section 3.2, there with 1/2.6).
    """
    return {name: decay ** _depth(name, len(model.layers)) for name, _ in model.named_parameters()}


def _depth(name: str, num_layers: int) -> int:
    part, _, rest = name.partition(".")
    if part in ("layers", "norms"):
        return num_layers - int(rest.partition(".")[0])
    return num_layers + 1 if part == "front_end" else 0


def _is_meant(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
