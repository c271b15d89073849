"""docs/settings.md from the record of settings: `python tests/support/settings_page.py` writes it.

`--check` writes nothing, and ends with 1 where the page says something else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nexus_engine.recipes import RECIPES
from nexus_engine.settings.record import GROUPS, SETTINGS
from nexus_engine.settings.setting import NamedSetting, in_help_order

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
RECIPE = ("dendrites", "default")

HEAD = """# Settings

<!-- Written by `python tests/support/settings_page.py`; change nexus_engine/settings/record.py. -->

Every setting has the same name in four places. For `--batch-size`:

| place | how you write it |
|---|---|
| option of `nexus train` | `--batch-size 32` |
| environment variable | `NEXUS_BATCH_SIZE=32` |
| `nexus.toml`, or a file for `--config` | `batch_size = 32` under `[train]` |
| New-run form of the app | the row "Batch size" (the last column names the row, if there is one) |

An option goes over a variable, a variable over a file, and a file over the recipe. With `--config`,
that file stands in for `./nexus.toml`; your own `nexus.toml` comes after both.
`nexus config show` prints the value of each setting and where it comes from.

The column "default" shows the recipe `default` of `--tune dendrites`; [recipes.md](recipes.md) has
the others. `-` means that nothing is set. In a TOML file a list is written `[0, 2]`.

"""
COLUMNS = ("setting", "group", "values", "default", "meaning", "row in the form")


def page() -> str:
    """The whole page."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    settings = in_help_order(SETTINGS, GROUPS)
    lines += [f"| {' | '.join(cells(setting))} |" for setting in settings]
    return HEAD + "\n".join(lines) + "\n"


def cells(setting: NamedSetting) -> tuple[str, ...]:
    """The row of a setting."""
    notes = setting.notes
    form = "" if notes.form is None else notes.form.label
    name = f"`{setting.option}`"
    if setting.kind == "flag":
        name += f", `--no-{setting.option[2:]}`"
    return (name, notes.group, values(setting), default(setting), setting.help, form)


def values(setting: NamedSetting) -> str:
    """What can be given, in words."""
    words = {"flag": "yes or no", "whole": "whole number", "number": "number", "text": "text"}
    if setting.choices:
        names = ", ".join(f"`{choice}`" for choice in setting.choices)
        return f"list of {names}" if setting.kind == "list" else names
    if setting.kind == "list":
        count = "list" if setting.length is None else f"{setting.length} numbers"
        return f"{count}, as `{setting.notes.example}`" + ranged(setting)
    return words[setting.kind] + ranged(setting)


def ranged(setting: NamedSetting) -> str:
    """The range behind the kind, where there is one."""
    return f", {setting.range_words}" if setting.range_words else ""


def default(setting: NamedSetting) -> str:
    """The value where nothing is given."""
    value = setting.notes.default
    if value is None:
        value = RECIPES[RECIPE].get(setting.name)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text}`"


def main() -> int:
    """Write the page, or with `--check` compare it; the exit code."""
    if "--check" in sys.argv:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
