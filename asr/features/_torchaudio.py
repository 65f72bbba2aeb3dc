"""The one place that imports torchaudio: its Kaldi features and its functions.

torchaudio 2.11's compiled extension is linked with CUDA, so that `import torchaudio` raises OSError where
torch has none. Nothing that is used here needs the extension: where the plain import fails, a module that
says so takes its place, and everything but forced alignment and the RNN-T loss works.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_EXTENSION = "torchaudio._extension"


def _fail_if_no_align(function: Callable[..., Any]) -> Callable[..., Any]:
    def unavailable(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(
            f"{function.__name__} needs torchaudio's compiled extension, which is not loadable here"
        )

    return unavailable


def _stub() -> ModuleType:
    extension = ModuleType(_EXTENSION)
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    extension.fail_if_no_align = _fail_if_no_align  # type: ignore[attr-defined]
    return extension


try:
    import torchaudio
except OSError:
    sys.modules[_EXTENSION] = _stub()
    import torchaudio

functional: Any = torchaudio.functional
kaldi: Any = torchaudio.compliance.kaldi

__all__ = ["functional", "kaldi"]
