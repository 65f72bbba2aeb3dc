"""What does a recipe cost?

    python benchmarks/recipe_steps.py librispeech_100 --root /data/speech [--updates 200] [--json FILE]

Runs the recipe's own steps 1 to 4 and then its own trainer, with its own configuration, for the first updates
on what is there of its training speech; nothing is downloaded. What had to be changed for that is said. The
time of an update gives an estimate of what an epoch of the whole corpus costs on this machine; the operations
of the model, at an assumed rate, what it costs on one GPU. Dev is not decoded. Run it on an otherwise idle
machine. Where the updates of a recipe take too long to wait for, `--set training.accumulate=1` makes them
shorter without changing what a second of audio costs.
"""

import argparse
import contextlib
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.corpus.librispeech import SUBSETS, find_subset
from asr.corpus.manifest import read_ids, read_manifest
from asr.errors import AsrError
from asr.features.cmvn import CmvnStats
from asr.training import distributed
from asr.training.checkpoint import checkpoints
from asr.training.monitor import read_metrics
from asr.training.run import make_trainer
from asr.training.trainer import Trainer
from asr.units.tokens import read_tokens
from benchmarks.gpu_estimate import CUDA_BYTES, Estimate, Gpu, estimate
from recipes.places import further_corpora
from recipes.recipe import Recipe, open_recipe
from recipes.run import run_steps
from recipes.stamps import steps_of
from recipes.start import require_start
from recipes.units import intermediate_units

HOURS = {"train-clean-100": 100.6, "train-clean-360": 363.6, "train-other-500": 496.7}
"""Of speech, by Panayotov et al. 2015, table 1. Others by the size of their archive, as train-clean-100."""


NEVER = 1_000_000
"""An epoch that is not reached."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and what is estimated from it. Times in seconds or hours, sizes in bytes.

    Attributes:
        changed: sentences on what differs from the recipe.
        updates, seconds_an_update, median_update, audio_an_update, times_real_time: without the first update,
            which compiles.
        peak, peak_of_a_reader: resident memory, steps 1 to 4 included; `device_peak` of CUDA.
        part_hours, whole_hours: training speech that is there, and that of the recipe.
        epoch_hours: estimate for the whole on this machine.
        on_gpu: estimate for one GPU.
    """

    recipe: str
    changed: list[str]
    device: str
    threads: int
    parameters: int
    updates: int
    seconds_an_update: float
    median_update: float
    audio_an_update: float
    times_real_time: float
    peak: int
    readers: int
    peak_of_a_reader: int
    device_peak: int
    checkpoint: int
    part_hours: float
    whole_hours: float
    epoch_hours: float
    on_gpu: Estimate


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", metavar="NAME|PATH", help="a recipe's name or folder")
    parser.add_argument("--root", type=Path, required=True, help="folder of the corpora, as corpus.root")
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--set", dest="settings", nargs="+", action="extend", default=[], metavar="key=value")
    parser.add_argument("--exp", type=Path, help="keep the experiment folder here, and go on in it")
    assumed = Gpu()
    parser.add_argument("--gpu", default=assumed.name, help="name of the GPU of the estimate")
    parser.add_argument("--teraflops", type=float, default=assumed.teraflops, help="that it is assumed to do")
    parser.add_argument("--microseconds", type=float, default=assumed.microseconds, help="of a frame on it")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.updates < 2:
        parser.error("--updates: at least 2, since the first compiles and is not counted")
    try:
        with tempfile.TemporaryDirectory() as folder:
            recipe, changed = prepared(
                options.recipe, options.root, options.settings, options.exp or Path(folder)
            )
            cost = measure(recipe, changed, options)
    except AsrError as error:
        sys.exit(f"error: {error}")
    print(described(cost))
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(cost)) + b"\n")


# --- the recipe on what is there ---------------------------------------------------------------------------


def prepared(name: str, root: Path, settings: list[str], exp: Path) -> tuple[Recipe, list[str]]:
    """The recipe after its steps 1 to 4, and sentences on what was changed so that they can be run here.

    Raises:
        AsrError: there is no such recipe, no speech, or what the steps raise.
    """
    given = [f"corpus.root={root}", *settings]
    forced, changed = replacements(open_recipe(name, given))
    recipe = open_recipe(name, [*given, *forced], exp)
    require_start(recipe)
    steps = steps_of(recipe)
    with contextlib.redirect_stdout(sys.stderr):
        run_steps(recipe, steps, [step for step in steps if step.number <= 4], forced=False)
    return recipe, changed + [f"set by hand: {setting}" for setting in settings]


def replacements(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Settings with which a recipe trains on what is there, on this device, and why in sentences."""
    changed: list[str] = []
    settings = [f"training.{name}={NEVER}" for name in ("epochs", "evaluate_every")]  # no end, no dev
    settings += ["training.max_minutes=0", "training.keep=1"]
    if recipe.config.corpus.source in SUBSETS:
        found, changed = subsets(recipe)
        settings += found
    for corpus in further_corpora(recipe):
        if not all(place.exists() for place in corpus.places()):
            settings.append(f"{corpus.key}.optional=true")
            changed.append(f"without {corpus.name}, which is not there")
    precision = recipe.config.training.precision
    if distributed.choose_device(recipe.config.training.device).type == "cpu" and precision != "float32":
        settings.append("training.precision=float32")
        changed.append(f"in float32, not {precision}, which needs CUDA")
    return settings, changed


def subsets(recipe: Recipe) -> tuple[list[str], list[str]]:
    """Settings that take the official subsets that are there for train, and none for dev and test."""
    corpus, root = recipe.config.corpus, recipe.corpus_root
    there = [name for table in SUBSETS.values() for name in table if find_subset(root, name)]
    own = [name for name in corpus.train if name in there]
    taken = own or [name for name in there if name.startswith("train")] or there[:1]
    if not taken:
        raise AsrError(f"{root}: no subset of LibriSpeech is there; --root expects the folder that has one")
    settings = [f"corpus.train={taken}", "corpus.dev=[]", "corpus.test=[]", "corpus.dev_ids=''"]
    settings += ["corpus.test_ids=''", *([] if own else ["corpus.source=librispeech", "corpus.train_ids=''"])]
    missing = [name for name in corpus.train if name not in there]
    told = f"trained on {', '.join(taken)}; of the recipe's subsets not there: {', '.join(missing)}"
    return settings, [told] if missing else []


def whole_hours(recipe: Recipe, name: str) -> tuple[float, float]:
    """Hours of training speech that is there, and those of the recipe `name` as it is published."""
    rows = read_manifest(recipe.exp / "corpus" / "train.jsonl")
    further = tuple(f"{corpus.name}-" for corpus in further_corpora(recipe))
    own = [row for row in rows if not row.utt_id.startswith(further)] if further else rows
    here, of_own = (sum(row.duration for row in some) / 3600 for some in (rows, own))
    published = open_recipe(name)
    corpus = published.config.corpus
    if corpus.source not in SUBSETS:
        return here, here
    if ids := published.beside(corpus.train_ids):
        return here, here + of_own * (len(read_ids(ids)) / len(own) - 1)
    return here, here - of_own + sum(map(hours_of, corpus.train))


def hours_of(subset: str) -> float:
    """Hours of an official subset."""
    sizes = {name: one.size for table in SUBSETS.values() for name, one in table.items()}
    known = "train-clean-100"
    return HOURS.get(subset) or HOURS[known] * sizes[subset] / sizes[known]


# --- what it costs -----------------------------------------------------------------------------------------


def measure(recipe: Recipe, changed: list[str], options: argparse.Namespace) -> Cost:
    """Train, and look at the metrics that the trainer wrote."""
    trainer = trainer_of(recipe)
    if recipe.config.training.threads:
        torch.set_num_threads(recipe.config.training.threads)
    an_epoch = len(trainer.sampler.updates(0))
    if options.updates < an_epoch and recipe.config.batching.shortest_first:
        changed.append(
            f"only {options.updates} of the {an_epoch} updates of an epoch, those of short utterances; "
            "a second of audio may cost otherwise in the others"
        )
    trainer.run(options.updates)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = read_metrics(trainer.folder / "metrics.jsonl")[1:]
    took, audio = [line["audio"] / line["xrt"] for line in lines], sum(line["audio"] for line in lines)
    here, whole = whole_hours(recipe, options.recipe)
    gpu = Gpu(name=options.gpu, teraflops=options.teraflops, microseconds=options.microseconds)
    is_cuda = trainer.device.type == "cuda"
    device_peak = torch.cuda.max_memory_allocated() if is_cuda else 0
    return Cost(
        recipe=recipe.name,
        changed=changed,
        device=torch.cuda.get_device_name() if is_cuda else "processor",
        threads=torch.get_num_threads(),
        parameters=sum(weight.numel() for weight in trainer.model.parameters()),
        updates=len(lines),
        seconds_an_update=sum(took) / len(took),
        median_update=statistics.median(took),
        audio_an_update=audio / len(took),
        times_real_time=audio / sum(took),
        peak=1024 * own,
        readers=recipe.config.batching.workers,
        peak_of_a_reader=1024 * children if recipe.config.batching.workers else 0,
        device_peak=device_peak,
        checkpoint=checkpoints(trainer.folder)[-1].stat().st_size,
        part_hours=here,
        whole_hours=whole,
        epoch_hours=whole * sum(took) / audio,
        on_gpu=estimate(trainer, recipe.config, gpu, whole),
    )


def trainer_of(recipe: Recipe) -> Trainer:
    """The trainer of step 06, without a dev set."""
    exp = recipe.exp
    return make_trainer(
        recipe.config,
        read_manifest(exp / "corpus" / "train.jsonl"),
        [],
        cmvn=CmvnStats.load(exp / "cmvn.json"),
        tokens=read_tokens(exp / "tokens.txt"),
        folder=exp / "train",
        device=distributed.choose_device(recipe.config.training.device),
        unit_files={path.name: path.read_bytes() for path in recipe.unit_files},
        intermediate_units=intermediate_units(recipe),
    )


def described(cost: Cost) -> str:
    """All of it in words."""
    readers = f", each of {cost.readers} readers up to {_size(cost.peak_of_a_reader)}" if cost.readers else ""
    gpu = cost.on_gpu
    on_device = f", on the device {_size(cost.device_peak)}" if cost.device_peak else ""
    return "\n".join(
        [
            f"{cost.recipe}: {cost.parameters / 1e6:.1f} M parameters; {cost.part_hours:.2f} of its "
            f"{cost.whole_hours:.1f} h of training speech are there",
            *(f"  {line}" for line in cost.changed),
            f"measured on {cost.device}, {cost.threads} threads, {cost.updates} updates after the first:",
            f"  {cost.seconds_an_update:.2f} s an update (median {cost.median_update:.2f}) of "
            f"{cost.audio_an_update:.0f} s of audio, {cost.times_real_time:.3g} × real time",
            f"  peak memory {_size(cost.peak)}{readers}{on_device}; checkpoint {_size(cost.checkpoint)}",
            "estimated, not measured:",
            f"  an epoch of the whole here: {_time(cost.epoch_hours)}, {_size(cost.peak)}",
            f"  an epoch on one {gpu.gpu.name}: {_time(gpu.epoch_hours)}, {_size(gpu.memory)}",
            f"    assuming {gpu.gpu.teraflops:g} TFLOP/s and {gpu.gpu.microseconds:g} µs a frame; "
            f"a second of audio is {gpu.operations / 1e9:.2f} GFLOP and {gpu.steps:.0f} frames in turn",
            f"    memory: {_size(gpu.state)} for weights and optimiser, {_size(gpu.kept)} for a full batch "
            f"in float32, {_size(CUDA_BYTES)} for CUDA",
        ]
    )


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
