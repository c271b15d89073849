"""Broken exports, embeddings and indexes: each mutation takes away one safeguard of an output."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reliability import check_hostile_index, check_outputs, check_private_outputs
from reliability.mutating import Mutation, put
from reliability.outcome import Outcome

__all__ = ["OUTPUT_MUTATIONS"]


class _System:
    """`os` with some of its names changed."""

    def __init__(self, **changed: Any) -> None:
        self._changed = changed

    def __getattr__(self, name: str) -> Any:
        return self._changed[name] if name in self._changed else getattr(os, name)


def _exported_in_place() -> None:
    from nexus_engine.exports import exporting

    @contextlib.contextmanager
    def in_place(path: Path) -> Iterator[Path]:
        path.mkdir(mode=0o700)
        path.chmod(0o700)
        yield path

    class Paths:
        def __getattr__(self, name: str) -> Any:
            return (lambda path: False) if name == "lexists" else getattr(os.path, name)

    put(exporting, "under_construction", in_place)
    put(exporting, "os", _System(path=Paths(), rename=lambda source, target: None))


def _export_left() -> None:
    from nexus_engine.exports import hidden_folder

    put(hidden_folder, "_remove", lambda folder: None)


def _embedded_twice() -> None:
    from nexus_engine.scoring import embedding_partial

    put(embedding_partial, "os", _System(ftruncate=lambda handle, size: None))


def _embedded_in_place() -> None:
    """The complete file is copied to its name, a piece at a time."""
    from nexus_engine.scoring import embedding_partial

    def copied(source: Path, target: Path) -> None:
        content = Path(source).read_bytes()
        for start in range(0, len(content), 4096):
            with Path(target).open("ab") as file:
                os.write(file.fileno(), content[start : start + 4096])
        os.unlink(source)

    put(embedding_partial, "os", _System(rename=copied))


def _addition_counts_at_once() -> None:
    """`index.json` takes in the passages of an addition before their vectors are there."""
    import msgspec

    from nexus_engine.indexing import building
    from nexus_engine.indexing.index_card import is_index, read_card, write_card

    read = building.read_corpus_into

    def reading(store: Any, *given: Any, **named: Any) -> Any:
        intake = yield from read(store, *given, **named)
        index = store._path.parent
        if is_index(index):
            card = read_card(index)
            write_card(index, msgspec.structs.replace(card, passages=store.next_id()))
        return intake

    put(building, "read_corpus_into", reading)


def _records_stay() -> None:
    from nexus_engine.indexing import building

    put(building, "_forget", lambda index: None)


def _build_begins_anew() -> None:
    """What a killed build left is not cleared by the next one."""
    from nexus_engine.indexing import building

    put(building, "_publish", lambda folder, out: shutil.copytree(folder, out))


def _modes_by_umask() -> None:
    from nexus_engine.disk import files

    put(files, "os", _System(chmod=lambda *given: None, fchmod=lambda *given: None))


def _full_disk_is_damage() -> None:
    from nexus_engine.indexing import tables

    put(tables, "_told", lambda path, error: tables.damaged(path, error))


def _export_of_no_room() -> None:
    from nexus_engine.exports import exporting

    put(exporting, "OUT_OF_ROOM", (errno.EDQUOT,))


def _any_tables() -> None:
    from nexus_engine.indexing import tables

    put(tables, "_check_tables", lambda path, found: None)


def _any_values() -> None:
    from nexus_engine.indexing import question_store, text_store

    for module in (question_store, text_store):
        put(module, "checked", lambda rows, *kinds: list(rows))


def _any_job() -> None:
    from nexus_engine.indexing import building, embedding

    def read(path: Path) -> Any:
        import msgspec

        from nexus_engine.disk.regular_files import read_json

        try:
            return msgspec.convert(read_json(path), embedding.EmbeddingJob)
        except (OSError, ValueError):
            return None

    put(building, "read_job", read)
    put(embedding.EmbeddingJob, "is_same_order", lambda self, other: True)


def _sqlite_quotes() -> None:
    from nexus_engine.indexing import tables

    put(tables, "one_line", lambda text, limit=400: str(text))

    def told(path: Path, error: Any) -> Any:
        from nexus_engine.errors import DataError

        return DataError(f"{path}: damaged ({error})")

    put(tables, "_told", told)


def _card_with_samples() -> None:
    from nexus_engine.exports import exporting

    made, texts = exporting.check_texts, []

    def checked(*given: Any) -> Any:
        found = made(*given)
        texts.extend(found.texts)
        return found

    card = exporting.model_card
    put(exporting, "check_texts", checked)
    put(exporting, "model_card", lambda facts: card(facts) + "\n".join(texts))


def _errors_quote() -> None:
    from nexus_tui.cli import main as cli
    from nexus_tui.terminal import failures

    made = failures.report

    def report(error: BaseException) -> int:
        failures._write(f"nexus: internal error: {error}")
        return made(error)

    put(failures, "report", report)
    for module in (cli,):
        if hasattr(module, "report"):
            put(module, "report", report)


Check = Callable[[Path, str], Outcome]


def _killed(*names: str, each: int = 3) -> Check:
    return lambda place, name: check_outputs.killed(place, each, names, name)


def _at_operations(work: str, most: int = 12) -> Check:
    return lambda place, name: check_outputs.killed_at_operations(
        place, (work,), most, ("after",), name
    )


def _filled(work: str, left: int) -> Check:
    return lambda place, name: check_outputs.disk_filled(place, (left,), (work,), name)


def _hostile(*kinds: str) -> Check:
    return lambda place, name: check_hostile_index.hostile_index(place, 100, name, kinds)


def _private(place: Path, name: str) -> Outcome:
    return check_private_outputs.private_outputs(place, name, without=("onnx", "as-st"))


OUTPUT_MUTATIONS: dict[str, Mutation] = {
    "export in place": Mutation(
        "an export is written under its own name",
        _exported_in_place,
        _at_operations("export delta"),
        "torn",
    ),
    "export left": Mutation(
        "what a killed export left stays",
        _export_left,
        _at_operations("export delta"),
        "the next run ended with",
    ),
    "embedded twice": Mutation(
        "vectors behind the journal stay",
        _embedded_twice,
        _at_operations("embed"),
        "wrote something else",
    ),
    "embedded in place": Mutation(
        "the file of vectors grows under its name",
        _embedded_in_place,
        _at_operations("embed"),
        "torn",
    ),
    "addition at once": Mutation(
        "an addition counts before its vectors are there",
        _addition_counts_at_once,
        _at_operations("add"),
        "torn",
    ),
    "records stay": Mutation(
        "the record of a finished addition stays",
        _records_stay,
        _killed("add", each=1),
        "left behind",
    ),
    "output modes": Mutation(
        "the umask decides on modes of outputs", _modes_by_umask, _killed("embed", each=1), "mode"
    ),
    "full disk is damage": Mutation(
        "a full disk under an index is taken for damage",
        _full_disk_is_damage,
        _filled("build", 150_000),
        "exit 3",
    ),
    "export without room": Mutation(
        "a full disk under an export is a wrong option",
        _export_of_no_room,
        _filled("export delta", 40_000),
        "exit 2",
    ),
    "any tables": Mutation(
        "a database of any tables is an index", _any_tables, _hostile("tables"), "not 3"
    ),
    "any values": Mutation(
        "values of any type are taken from an index", _any_values, _hostile("values"), "internal"
    ),
    "any job": Mutation(
        "any record of a job is believed", _any_job, _hostile("jobs"), "the canary was changed"
    ),
    "damage quoted": Mutation(
        "an error about a database quotes a text", _sqlite_quotes, _hostile("values"), "quotes"
    ),
    "card with samples": Mutation(
        "the model card shows sentences", _card_with_samples, _private, "as-delta/README.md"
    ),
    "errors of outputs quote": Mutation(
        "an internal error is told with its message", _errors_quote, _private, "stderr"
    ),
}  # fmt: skip
