"""A recipe: a folder of data (config.toml, README.md, RESULTS.md) and the experiment folder of its run."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from asr.config import PRETRAINED, Config, ShippingConfig, dump_config, load_config
from asr.errors import AsrError
from asr.files import write_error, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPES = REPOSITORY / "recipes"
EXPERIMENTS = REPOSITORY / "data" / "exp"
CACHE = REPOSITORY / "data" / "cache"

_PLACE = re.compile(
    r"\s*(corpus\.root|corpus\.also\.\w+\.root|corpus\.cut_with|training\.start_from|scoring\.control"
    r"|shipping\.folder|shipping\.sets\.\w+\.root)\s*=(.+)",
    re.DOTALL,
)
_FILES = re.compile(r"\s*(language_model\.files|rescoring\.files|distillation\.teachers)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """What a step works for.

    Attributes:
        name: of the recipe's folder.
        folder: where config.toml lies, and the files that it names.
        exp: experiment folder; everything that the steps write goes there, but for the corpus.
        config: config.toml with the `--set` settings applied.
        settings: the `--set` settings, as given.
    """

    name: str
    folder: Path
    exp: Path
    config: Config
    settings: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which steps it takes: "study" with a table [study], which compares many models, else "model".

        What starts from another model takes those of "start" too, and what is shipped those of "shipping".
        """
        if self.config.study:
            return ("study",)
        also = (("start", self.start), ("shipping", self.shipping))
        return ("model", *(kind for kind, place in also if place))

    @property
    def corpus_root(self) -> Path:
        """Folder of the corpus; a relative one in config.toml counts from the repository."""
        return REPOSITORY / self.config.corpus.root

    @property
    def cutter(self) -> Path | None:
        """Folder of the model that cuts long utterances; a relative one counts from the repository."""
        return REPOSITORY / self.config.corpus.cut_with if self.config.corpus.cut_with else None

    @property
    def start(self) -> Path | None:
        """Folder of the model that is trained further; a relative one counts from the repository."""
        return REPOSITORY / self.config.training.start_from if self.config.training.start_from else None

    @property
    def start_files(self) -> list[Path]:
        """The file that has the checksums of that model."""
        return [self.start / "bundle.json"] if self.start else []

    @property
    def teacher_files(self) -> list[Path]:
        """The files that have the checksums of the models that are learnt from."""
        return [REPOSITORY / name / "bundle.json" for name in self.config.distillation.teachers]

    @property
    def control(self) -> Path | None:
        """Folder of general speech where there is one; a relative one counts from the repository."""
        folder = REPOSITORY / self.config.scoring.control
        return folder if self.config.scoring.control and folder.is_dir() else None

    @property
    def shipping(self) -> Path | None:
        """Folder of the compact model; a relative one counts from the repository."""
        return REPOSITORY / self.config.shipping.folder if self.config.shipping.folder else None

    @property
    def unit_files(self) -> list[Path]:
        """What the units need beside tokens.txt, in the experiment folder."""
        return [self.exp / name for name in self.config.units.files]

    @property
    def intermediate_files(self) -> list[Path]:
        """Likewise of the intermediate output, tokens first, where its units are not those of the output."""
        units = self.config.intermediate_units
        return [self.exp / "intermediate" / name for name in ("tokens.txt", *units.files)] if units else []

    def beside(self, name: str) -> Path | None:
        """A file that the configuration names, beside it; None for the empty name."""
        return self.folder / name if name else None

    def shown(self, path: Path) -> str:
        """A path as short as it can be said from the current folder."""
        here = Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

    def command(self, *options: str) -> str:
        """The command that runs this recipe with these settings."""
        place = self.name if self.folder == RECIPES / self.name else str(self.folder)
        words = ["python", "recipes/run.py", place, *options]
        if self.exp != EXPERIMENTS / self.name:
            words += ["--exp", str(self.exp)]
        if self.settings:
            words += ["--set", *self.settings]
        return shlex.join(words)

    def portable_command(self) -> str:
        """The command for a reader elsewhere: without the places of this machine."""
        settings = [_PLACE.sub(r"\1=DIR", setting) for setting in self.settings]
        settings = [_FILES.sub(r"\1=[FILE]", setting) for setting in settings]
        words = ["python", "recipes/run.py", self.name, *(["--set", *settings] if settings else [])]
        return shlex.join(words)

    def portable_config(self) -> Config:
        """The configuration for a reader elsewhere: with the corpora where config.toml says."""
        config = load_config(self.folder / "config.toml", root=REPOSITORY)
        corpus, written = self.config.corpus, config.corpus
        control = config.scoring.control
        control = control if self.config.scoring.control == control else "DIR"
        cut_with = written.cut_with if corpus.cut_with == written.cut_with else "DIR"
        also = {
            name: replace(entry, root=written.also[name].root if name in written.also else "DIR")
            for name, entry in corpus.also.items()
        }
        first, second = self.config.language_model, self.config.rescoring
        return replace(
            self.config,
            corpus=replace(corpus, root=written.root, also=also, cut_with=cut_with),
            language_model=replace(first, files=_named(first.files)),
            rescoring=replace(second, files=_named(second.files)),
            training=replace(self.config.training, start_from=self._portable_start(config)),
            scoring=replace(self.config.scoring, control=control),
            distillation=replace(
                self.config.distillation, teachers=_named(self.config.distillation.teachers)
            ),
            shipping=ShippingConfig(),  # no part of a model
        )

    def _portable_start(self, written: Config) -> str:
        """Where the model lies that is trained further, if the recipe itself says so and it is in here."""
        if self.start is None:
            return ""
        is_own = self.start == REPOSITORY / written.training.start_from
        is_here = self.start.is_relative_to(REPOSITORY)
        return self.start.relative_to(REPOSITORY).as_posix() if is_own and is_here else "DIR"

    def write_config(self) -> None:
        """Keep the effective configuration in the experiment folder."""
        path, content = self.exp / "config.toml", dump_config(self.config)
        if not path.is_file() or path.read_bytes() != content.encode():
            write_text(path, content)


def open_recipe(place: str, settings: list[str] | None = None, exp: Path | None = None) -> Recipe:
    """Read the recipe called `place`, or the one in the folder `place`.

    Args:
        place: name of a folder in recipes/, or path of a folder with a config.toml, or of that file.
        settings: `part.key=value` changes; a relative `corpus.root`, `corpus.also.NAME.root`,
            `corpus.cut_with`, `training.start_from`, `scoring.control`, `shipping.folder` or
            `shipping.sets.NAME.root` counts from the current folder here.
        exp: experiment folder; data/exp/NAME of the repository if not given.

    Raises:
        AsrError: there is no such recipe, or its configuration is wrong.
    """
    folder = _find(place)
    settings = [_absolute_root(setting) for setting in settings or []]
    config = load_config(folder / "config.toml", settings, REPOSITORY)
    exp = (exp or EXPERIMENTS / folder.name).resolve()
    return Recipe(name=folder.name, folder=folder, exp=exp, config=config, settings=tuple(settings))


def shipped() -> list[str]:
    """Names of the recipes that come with the repository."""
    return sorted(path.parent.name for path in RECIPES.glob("*/config.toml"))


def _named(files: tuple[str, ...]) -> tuple[str, ...]:
    """Files without the places of this machine."""
    return tuple(name if not Path(name).is_absolute() else Path(name).name for name in files)


def set_aside(folder: Path) -> Path:
    """Rename a folder to NAME.previous, in place of an earlier one, and return where it is now.

    Raises:
        AsrError: no permission for it.
    """
    previous = folder.with_name(f"{folder.name}.previous")
    try:
        if previous.exists():
            shutil.rmtree(previous)
        return folder.replace(previous)
    except OSError as error:
        raise write_error(previous, error) from error


def _find(place: str) -> Path:
    path = Path(place)
    if path.name == "config.toml" and path.is_file():
        path = path.parent
    for folder in (path, RECIPES / place):
        if (folder / "config.toml").is_file():
            return folder.resolve()
    raise AsrError(
        f"{place}: no recipe of this name and no folder with a config.toml; "
        f"the recipes that come with this repository are {', '.join(shipped())}"
    )


def _absolute_root(setting: str) -> str:
    found = _PLACE.fullmatch(setting)
    named = found[2].strip().strip("'\"") if found else ""
    if found is None or (found[1], named) == ("training.start_from", PRETRAINED):
        return setting
    root = Path(named).expanduser().resolve()
    return f"{found[1]}={root}"
