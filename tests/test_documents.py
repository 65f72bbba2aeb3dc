"""What README and docs say can be typed and found."""

import re
import shlex

import pytest
from typer.main import get_command

from asr.cli import app
from recipes.recipe import REPOSITORY, open_recipe

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES += sorted((REPOSITORY / "recipes").glob("*/*.md"))


def lines(start):
    """Indented lines of README and docs that begin with a command, without remarks behind them."""
    return [
        pytest.param(line, id=f"{page.name}: {line[:40]}")
        for page in PAGES
        for line in (
            text.partition(" #")[0].strip() for text in page.read_text().splitlines() if text[:4] == "    "
        )
        if line.startswith(start)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("line", lines("asr "))
def test_commands_exist_with_their_options(line):
    words = shlex.split(line)
    commands = get_command(app).commands
    assert words[1] in commands
    command = commands[words[1]]
    command = getattr(command, "commands", {}).get(words[2], command)  # such as `asr lm build`
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", lines("python recipes/run.py "))
def test_recipes_exist_with_their_settings(line):
    words = shlex.split(line)[2:]
    settings = [word for word in words if "=" in word and not word.startswith("--")]
    open_recipe(words[0], settings)


@pytest.mark.parametrize("line", lines("make "))
def test_make_has_its_targets(line):
    makefile = (REPOSITORY / "Makefile").read_text()
    assert f"\n{line.split()[1]}:" in makefile
