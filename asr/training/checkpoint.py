"""Everything that training needs to go on as if it had never stopped, in one file without pickle.

A checkpoint is a safetensors file. Its header carries the position (`Progress`) as JSON and a checksum over
position and tensors; a file that was cut or changed is recognised, named, and the one before it is used.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec
import safetensors
import safetensors.torch
from torch import Tensor

from asr.errors import AsrError
from asr.files import write_bytes

log = logging.getLogger("asr")

Tensors = dict[str, Tensor]


class Evaluation(msgspec.Struct, frozen=True):
    """The errors on dev after an epoch, in percent: of words, or of phones where the model writes phones."""

    epoch: int
    wer: float
    cer: float


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where training is.

    Attributes:
        epoch, update: the next update is number `update` of epoch `epoch`, both counted from 0.
        step: updates done in all.
        seconds: time spent training, over all sessions.
        fingerprint: of the configuration and the data; another one cannot go on from here.
        evaluations: on dev, so far.
        scale: of the loss, where half precision needs one.
    """

    epoch: int = 0
    update: int = 0
    step: int = 0
    seconds: float = 0.0
    fingerprint: str = ""
    evaluations: list[Evaluation] = []
    scale: float = 65536.0

    @property
    def wer(self) -> float:
        """dev WER (of phones: PER) of the last evaluation; infinite before the first."""
        return self.evaluations[-1].wer if self.evaluations else float("inf")


def checkpoint_path(folder: Path, progress: Progress) -> Path:
    """Name of a checkpoint; names sort in the order of training."""
    kind = "epoch" if progress.update == 0 else "step"
    return folder / f"{progress.step:09d}-{kind}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints in a folder, oldest first."""
    return sorted(folder.glob("?????????-*.safetensors"))


def save_checkpoint(path: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint in one step.

    Raises:
        AsrError: the disk is full or the folder cannot be written.
    """
    # clones, because safetensors refuses tensors that share memory
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(tensors.items())}
    position = msgspec.json.encode(progress).decode()
    metadata = {"progress": position, "sha256": _digest(position, stored)}
    write_bytes(path, safetensors.torch.save(stored, metadata))


def load_checkpoint(path: Path) -> tuple[Progress, Tensors]:
    """Read a checkpoint and check it.

    Raises:
        AsrError: unreadable, cut, changed, or of another version of the program.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise AsrError(f"{path}: damaged checkpoint ({error})") from error
    if metadata.get("sha256") != _digest(metadata.get("progress", ""), tensors):
        raise AsrError(f"{path}: damaged checkpoint (its content differs from its checksum)")
    try:
        return msgspec.json.decode(metadata["progress"], type=Progress), tensors
    except msgspec.DecodeError as error:
        raise AsrError(f"{path}: a checkpoint of another version of the program ({error})") from error


def load_newest(folder: Path) -> tuple[Progress, Tensors] | None:
    """The newest checkpoint that is sound; each damaged one is named in a warning. None if there is none."""
    found = checkpoints(folder)
    while found:
        try:
            return load_checkpoint(found.pop())
        except AsrError as error:
            instead = "the one before it is used" if found else "none is before it: training begins anew"
            log.warning("%s; %s", error, instead)
    return None


def remove_old(folder: Path, keep: int) -> None:
    """Keep the two newest checkpoints, and of whole epochs the `keep` newest and `keep` best on dev."""
    found = checkpoints(folder)
    epochs = [path for path in found if path.stem.endswith("epoch")]
    wanted = {*found[-2:], *epochs[-keep:], *best(epochs, keep)}
    for path in found:
        if path not in wanted:
            path.unlink(missing_ok=True)


def best(paths: list[Path], count: int) -> list[Path]:
    """The `count` checkpoints with the lowest dev WER, best first; of equals the later one."""
    ranked = sorted(((read_progress(path).wer, -index, path) for index, path in enumerate(paths)))
    return [path for _, _, path in ranked[:count]]


def read_progress(path: Path) -> Progress:
    """The position in a checkpoint, without its tensors; an infinite WER for a file that is damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return msgspec.json.decode((file.metadata() or {})["progress"], type=Progress)
    except (OSError, KeyError, safetensors.SafetensorError, msgspec.DecodeError):
        return Progress()


def _digest(position: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(position.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
