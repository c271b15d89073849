"""The annotation of a setting in the record, and what follows from it. No side effects.

A field of the record reads `sharpness: Annotated[float, Setting(...)]`. `settings_of` reads such a
record; options, variables, files, the form and the documentation are built from its result.
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
DEFAULT_ROW = 1000


class FormField(NamedTuple):
    """A setting's row in the New-run form. The form is sorted by `row`."""

    label: str
    help: str
    row: int = DEFAULT_ROW


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The annotation of a field of the record.

    Attributes:
        group: The heading of the help under which the option appears.
        help: One line for the help. `{choices}` and `{range}` are filled in.
        default: The value if the user sets none; None means that the recipe has one.
        min: The smallest value; in a list, of each item.
        max: The largest value; in a list, of each item.
        max_fitted: The largest value that a run may record, if fitting to little data raises it.
        below: The name of another setting whose value is an exclusive upper bound.
        metavar: The placeholder of the value in the help; by default it follows from the type.
        example: A list as the user types it, for messages.
        after: The setting that precedes this one in the help, if not the one before it here.
        form: The row in the New-run form; None leaves the setting out of the form.
        name: The user's name for the setting, if not the name of the field.
        type: The type of the user's value, if not the type of the field.
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
    """A setting of a record: the user's name for it, its field, its type and its annotation.

    `type` is the type of a value that the user sets, without None.
    """

    name: str
    field: str
    type: Any
    notes: Setting

    @property
    def kind(self) -> Kind:
        """The form in which a value is written."""
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
        """The placeholder of the value in the help."""
        return self.notes.metavar or self.notes.example or METAVARS[self.kind]

    @property
    def item(self) -> Any:
        """The type of a list's items; for other kinds the type itself."""
        return get_args(self.type)[0] if self.kind == "list" else self.type

    @property
    def length(self) -> int | None:
        """The number of items that a list must have; None if it is not fixed."""
        parts = get_args(self.type)
        return None if self.kind != "list" or Ellipsis in parts else len(parts)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that a value, or each item of a list, can be; empty for other types."""
        return get_args(self.item) if get_origin(self.item) is Literal else ()

    @property
    def range_words(self) -> str:
        """The range in words, such as "0 to 0.9"; empty if there is none."""
        notes = self.notes
        if notes.min is None:
            return ""
        highest = f"{notes.below} - 1" if notes.below else _digits(notes.max)
        return f"{_digits(notes.min)} to {highest}"

    @property
    def help(self) -> str:
        """The help line, with choices and range filled in."""
        return self.notes.help.format(choices=", ".join(self.choices), range=self.range_words)

    @property
    def takes(self) -> str:
        """What a value in a file must be, such as "a whole number"."""
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        if self.kind != "list":
            return NOUNS[self.type]
        if self.length == 2:
            return "two numbers, such as [0, 5]"
        if self.choices:
            return f"a list of {', '.join(self.choices)}"
        return "a list of whole numbers, such as [0, 2]"

    def wrong_type(self, value: object) -> str | None:
        """An error message if `value` has the wrong type for this setting; else None."""
        if value is None and self.notes.default is None:
            return None
        try:
            msgspec.convert(value, self.type)
        except (msgspec.ValidationError, OverflowError):
            close = []
            if self.kind == "choice" and isinstance(value, str):
                close = difflib.get_close_matches(value, self.choices, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            return f"{self.name} is {shown_value(value)}: give {self.takes}{hint}"
        return None


def settings_of(record: type[msgspec.Struct]) -> dict[str, NamedSetting]:
    """The settings of `record` by the user's names, in the order of its fields.

    A field without a `Setting` is derived by the program and left out here.
    """
    hints = get_type_hints(record, include_extras=True)
    settings = {}
    for field in record.__struct_fields__:
        hint = hints[field]
        for notes in getattr(hint, "__metadata__", ()):
            if isinstance(notes, Setting):
                name = notes.name or field
                user_type = notes.type or _without_none(hint.__origin__)
                settings[name] = NamedSetting(name, field, user_type, notes)
    return settings


def config_record(
    name: str, settings: dict[str, NamedSetting], *, module: str, doc: str
) -> type[msgspec.Struct]:
    """A struct class with a field for each setting, which defaults to the setting's default."""
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
    """The settings by group, in the order of the record; one with `after` follows that setting."""
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
    """A value from a file as one writes it there, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        # Python refuses to print integers of thousands of digits.
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
    """A bound as one types it: 0.9, 1000, 1e-09."""
    return str(number) if isinstance(number, int) else f"{number:g}"
