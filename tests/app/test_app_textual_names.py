"""One file uses private names of Textual and gives a reason for each."""

import ast
import functools
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import pytest
from textual.app import App

import nexus_tui
from nexus_tui.app.kit.declared_keys import declared_keys
from nexus_tui.app.runs.screen import RunsScreen

HOME = "nexus_tui.app.terminal.textual_private"


def is_private(name):
    # `_replace` is the documented method of a named tuple.
    return name.startswith("_") and not name.startswith("__") and name != "_replace"


def private_names(kind):
    """The private names of `kind`'s bases in Textual: methods and attributes of `self`."""
    names = set()
    for base in kind.__mro__:
        if base.__module__.startswith("textual"):
            names |= set(vars(base)) | attributes_of(base)
    return {name for name in names if is_private(name)}


@functools.cache
def attributes_of(base):
    """The attributes that the methods of `base` itself assign to `self`."""
    tree = ast.parse(inspect.getsource(sys.modules[base.__module__]))
    return {
        part.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == base.__name__
        for part in ast.walk(node)
        if _assigns_to_self(part)
    }


def private_uses(source, classes):
    """The private names of Textual that `source` uses; `classes`, by name, are its own."""
    tree = ast.parse(source)
    uses = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            parts = [*node.module.split("."), *(name.name for name in node.names)]
            uses += [f"import {part}" for part in parts if is_private(part)]
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("textual."):
                    uses += [f"import {part}" for part in name.name.split(".") if is_private(part)]
        if isinstance(node, ast.ClassDef) and node.name in classes:
            inherited = private_names(classes[node.name])
            for part in ast.walk(node):
                name = None
                if isinstance(part, ast.Attribute):
                    name = part.attr
                elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    name = part.name
                if name in inherited:
                    uses.append(name)
    own = {part.attr for part in ast.walk(tree) if _assigns_to_self(part)}
    own |= {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    # An attribute of another object counts unless the same file defines its name.
    uses += [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own
    ]
    return sorted(set(uses))


def _assigns_to_self(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def our_modules():
    folder = nexus_tui.__path__
    names = [module.name for module in pkgutil.walk_packages(folder, "nexus_tui.")]
    return [name for name in names if name.startswith(("nexus_tui.app", "nexus_tui.charts"))]


@pytest.mark.parametrize("name", our_modules())
def test_one_file_uses_private_names_of_textual(name):
    module = importlib.import_module(name)
    classes = {n: c for n, c in vars(module).items() if inspect.isclass(c)}
    uses = private_uses(Path(module.__file__).read_text(), classes)
    if name == HOME:
        assert uses == [
            "_exception",
            "_exception_event",
            "_file",
            "_handle_exception",
            "import _footer",
            "import _xterm_parser",
        ]
    else:
        assert uses == []


class Prying(App):
    def _fatal_error(self):
        self._return_code = 1


@pytest.mark.parametrize(
    ("line", "uses"),
    [
        ("from textual._xterm_parser import XTermParser", ["import _xterm_parser"]),
        ("from textual.widgets._footer import FooterKey", ["import _footer"]),
        ("import textual._context", ["import _context"]),
        ("def f(app): app._loop.stop()", ["_loop"]),
        ("def f(self): return self.workers._workers", ["_workers"]),
        (inspect.getsource(Prying), ["_fatal_error", "_return_code"]),
        ("class Own(App):\n    def __init__(self): self._own = 1", []),
    ],
)
def test_the_check_finds_what_it_is_for(line, uses):
    assert private_uses(line, {"Prying": Prying, "Own": Prying}) == uses


def test_the_bindings_of_a_screen_are_those_that_textual_merges():
    for keymap in ({}, {"runs.open": "ctrl+e,?", "runs.new": "slash"}):
        screen = RunsScreen()
        merged = screen._bindings.copy()
        merged.apply_keymap(
            {name: keys.replace("?", "question_mark") for name, keys in keymap.items()}
        )
        expected = [b for same in merged.key_to_bindings.values() for b in same]
        assert declared_keys(screen, keymap) == expected
