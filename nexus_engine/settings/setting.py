"""What the record of settings says of each setting, and what follows from it. Pure.

A field of the record is one line, `sharpness: Annotated[float, Setting(...)]`. `settings_of` reads
such a record; options, variables, files, the form and the documentation are built from its result.
"""

from __future__ import annotations

import difflib
import types
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from nexus_engine.errors import one_line

__all__ = [
    "FormField",
    "NamedSetting",
    "Setting",
    "config_record",
    "in_help_order",
    "settings_of",
    "shown_value",
]

Kind = Literal["flag", "whole", "number", "choice", "text", "list"]

METAVARS: dict[Kind, str] = {
    "flag": "", "whole": "N", "number": "F", "choice": "NAME", "text": "TEXT", "list": "LIST",
}  # fmt: skip
NOUNS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
}
LAST_ROW = 1000


class FormField(NamedTuple):
    """The row of a setting in the New-run form; rows are ordered by `row`."""

    label: str
    help: str
    row: int = LAST_ROW


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a field of the record says of itself.

    Attributes:
        group: The heading of the help under which the option stands.
        help: One line for the help. `{choices}` and `{range}` stand for what the setting takes.
        default: The value where the user gives none; None: the recipe has one.
        min: The smallest value, for each item of a list.
        max: The largest value, for each item of a list.
        max_fitted: The largest value that a run may have recorded, where little data raises it.
        below: The name of another setting; each value is smaller than the value of that one.
        metavar: What stands for the value in the help; by default it follows from the type.
        example: A list as one types it, for messages.
        after: The setting that stands before this one in the help, where the record has another.
        form: The row in the New-run form; None: the form does not have the setting.
        name: The name that the user gives it, where that is not the name of the field.
        type: The type of what the user gives, where that is not the type of the field.
    """

    group: str
    help: str
    default: Any = None
    min: float | None = None
    max: float | None = None
    max_fitted: float | None = None
    below: str = ""
    metavar: str = ""
    example: str = ""
    after: str = ""
    form: FormField | None = None
    name: str = ""
    type: Any = None


class NamedSetting(NamedTuple):
    """A setting of a record: the user's name for it, the record's field, its type, its notes.

    `type` is the type of a value that is given, without None.
    """

    name: str
    field: str
    type: Any
    notes: Setting

    @property
    def kind(self) -> Kind:
        """How a value is written."""
        if get_origin(self.type) is Literal:
            return "choice"
        if get_origin(self.type) is tuple:
            return "list"
        kinds: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number"}
        return kinds.get(self.type, "text")

    @property
    def option(self) -> str:
        """The option of the command line, `--batch-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable, `NEXUS_BATCH_SIZE`."""
        return "NEXUS_" + self.name.upper()

    @property
    def metavar(self) -> str:
        """What stands for the value in the help."""
        return self.notes.metavar or self.notes.example or METAVARS[self.kind]

    @property
    def item(self) -> Any:
        """The type of the items of a list; the type itself of all else."""
        return get_args(self.type)[0] if self.kind == "list" else self.type

    @property
    def length(self) -> int | None:
        """How many items a list has; None: as many as one likes."""
        parts = get_args(self.type)
        return None if self.kind != "list" or Ellipsis in parts else len(parts)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that can be given, for a list the words of which it consists."""
        return get_args(self.item) if get_origin(self.item) is Literal else ()

    @property
    def range_words(self) -> str:
        """The range in words, "0 to 0.9"; empty where there is none."""
        notes = self.notes
        if notes.min is None:
            return ""
        highest = f"{notes.below} - 1" if notes.below else _digits(notes.max)
        return f"{_digits(notes.min)} to {highest}"

    @property
    def help(self) -> str:
        """The line of the help."""
        return self.notes.help.format(choices=", ".join(self.choices), range=self.range_words)

    @property
    def takes(self) -> str:
        """What a value in a file is to be, such as "a whole number"."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind != "list":
            return NOUNS[self.type]
        if self.length == 2:
            return "two numbers, as [0, 5]"
        if self.choices:
            return f"a list of {', '.join(self.choices)}"
        return "a list of whole numbers, as [0, 2]"

    def wrong_type(self, value: object) -> str | None:
        """A sentence about a `value` that the setting does not take; None where it takes it."""
        if value is None and self.notes.default is None:
            return None
        try:
            msgspec.convert(value, self.type)
        except (msgspec.ValidationError, OverflowError):
            near = []
            if self.kind == "choice" and isinstance(value, str):
                near = difflib.get_close_matches(value, self.choices, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{self.name} is {shown_value(value)}: give {self.takes}{hint}"
        return None


def settings_of(record: type[msgspec.Struct]) -> dict[str, NamedSetting]:
    """The settings of `record` by the user's names, in the order of its fields.

    A field without a `Setting` is what a run works out by itself, and no setting.
    """
    hints = get_type_hints(record, include_extras=True)
    settings = {}
    for field in record.__struct_fields__:
        hint = hints[field]
        for notes in getattr(hint, "__metadata__", ()):
            if isinstance(notes, Setting):
                name = notes.name or field
                given = notes.type or _without_none(hint.__origin__)
                settings[name] = NamedSetting(name, field, given, notes)
    return settings


def config_record(
    name: str, settings: dict[str, NamedSetting], *, module: str, doc: str
) -> type[msgspec.Struct]:
    """A class with a field for each setting, with its default, or None where it has none."""
    fields = [
        (s.name, s.type | None if s.notes.default is None else s.type, s.notes.default)
        for s in settings.values()
    ]
    return msgspec.defstruct(
        name,
        fields,
        module=module,
        namespace={"__doc__": doc},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def in_help_order(settings: dict[str, NamedSetting], groups: tuple[str, ...]) -> list[NamedSetting]:
    """The settings group by group, each behind its `after`, else in the order of the record."""
    ordered: list[NamedSetting] = []
    for group in groups:
        members = [s for s in settings.values() if s.notes.group == group]
        placed = [s for s in members if not s.notes.after]
        for setting in members:
            if setting.notes.after:
                before = next(s for s in placed if s.name == setting.notes.after)
                placed.insert(placed.index(before) + 1, setting)
        ordered += placed
    return ordered


def shown_value(value: object) -> str:
    """A value from a file as it would stand there, short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        # Python refuses to write thousands of digits, and nobody reads them.
        return str(value) if abs(value) < 10**40 else "a number of more than 40 digits"
    if isinstance(value, str):
        return f'"{one_line(value, 40)}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown_value(item) for item in value[:4])}{', …' * (len(value) > 4)}]"
    return one_line(value, 40)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _digits(number: float | None) -> str:
    """A limit as one types it: 0.9, 1000, 1e-09."""
    return str(number) if isinstance(number, int) else f"{number:g}"
