"""docs/gru.md names what is in the code, and its example runs as it stands."""

import re
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "gru.md").read_text(encoding="utf-8")


def test_the_example_gives_what_it_says():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, torch.Tensor] = {}
    exec(example, found)
    y, state = found["y"], found["state"]
    assert y.shape == (3, 200, 640) and state.shape == (4, 3, 320)
    assert (y[1, 180:] == 0).all() and (y[1, 179] != 0).any()


def test_every_name_of_the_derivation_is_in_the_code():
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "asr/recurrent").glob("*.py")
    )
    derivation, rest = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL).split("## How fast")
    codes = re.findall(r"`([^`\n]+)`", derivation)
    names = {name for code in codes for name in re.findall(r"[A-Za-z_]\w+", code)} - {"py"}
    assert {"_gru_backward", "d_reset_state", "grad_hh", "_collect", "InputNorm"} <= names
    assert not {name for name in names if not re.search(rf"\b{name}\b", sources)}
    assert "benchmarks/recurrent.py" in rest
