import ast
import subprocess
import sys
from pathlib import Path

import asr

PACKAGE = Path(asr.__file__).parent


def fake_torchaudio(folder, extension):
    """A package with torchaudio's layout, whose compiled extension does what `extension` says."""
    package = folder / "torchaudio"
    (package / "compliance").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import _extension\nfrom . import compliance, functional\n")
    (package / "_extension.py").write_text(extension)
    (package / "compliance" / "__init__.py").write_text("from . import kaldi\n")
    (package / "compliance" / "kaldi.py").write_text("")
    (package / "functional.py").write_text(
        "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align\n"
        "@fail_if_no_align\ndef forced_align(*args): return 'aligned'\n"
    )


def run(folder, code):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_extension_that_loads_is_left_alone(tmp_path):
    fake_torchaudio(tmp_path, "_IS_TORCHAUDIO_EXT_AVAILABLE = True\ndef fail_if_no_align(f): return f\n")
    result = run(
        tmp_path,
        "from asr.features._torchaudio import functional as f; print(f.forced_align(), "
        "f._IS_TORCHAUDIO_EXT_AVAILABLE)",
    )
    assert result.stdout == "aligned True\n", result.stderr


def test_an_extension_that_does_not_load_is_replaced(tmp_path):
    fake_torchaudio(tmp_path, "raise OSError('libc10_cuda.so: cannot open shared object file')\n")
    result = run(
        tmp_path,
        "from asr.features._torchaudio import functional as f, kaldi\n"
        "print(kaldi.__name__, f._IS_TORCHAUDIO_EXT_AVAILABLE)\n"
        "try: f.forced_align(1)\n"
        "except RuntimeError as error: print(error)",
    )
    assert result.stdout.splitlines() == [
        "torchaudio.compliance.kaldi False",
        "forced_align needs torchaudio's compiled extension, which is not loadable here",
    ], result.stderr


def test_any_other_failure_stays_one(tmp_path):
    fake_torchaudio(tmp_path, "raise ImportError('broken installation')\n")
    assert "broken installation" in run(tmp_path, "import asr.features._torchaudio").stderr


def imports(path):
    """Names of the packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def test_torchaudio_is_imported_in_one_place():
    users = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "torchaudio" in imports(path)]
    assert users == [Path("features/_torchaudio.py")]
