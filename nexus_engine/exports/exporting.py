"""`export`: write the best weights of a run in another format, and keep them if they agree."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nexus_engine.disk.files import make_folder, sync, write_new
from nexus_engine.errors import ConfigError, ExportError, ResourceError, one_line
from nexus_engine.exports.checking import (
    Checked,
    check_sums,
    check_vectors,
    embedded,
    read_fresh,
)
from nexus_engine.exports.delta import named_units
from nexus_engine.exports.dev_texts import CheckTexts, check_texts, run_data
from nexus_engine.exports.formats import Written, written
from nexus_engine.exports.gguf_file import gguf_tensors
from nexus_engine.exports.hidden_folder import under_construction
from nexus_engine.exports.linear_fit import fitted
from nexus_engine.exports.model_card import CardFacts, model_card
from nexus_engine.exports.onnx_graph import token_states_suffice
from nexus_engine.exports.options import MAX_LOSS, Format
from nexus_engine.exports.place import free_place
from nexus_engine.exports.plain_model import PlainModel, plain_model
from nexus_engine.exports.small_files import json_bytes
from nexus_engine.metric_words import METRIC_WORDS
from nexus_engine.runs.audit import note_use
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import (
    EXPORT_CARD,
    LoadedModel,
    base_of,
    export_card,
    load_saved,
)
from nexus_engine.runs.summary import read_record
from nexus_engine.system.shortages import OUT_OF_ROOM

__all__ = ["Exported", "Stage", "export"]


class Stage(NamedTuple):
    """What the export does now, and the share that is done, 0..1."""

    words: str
    fraction: float


class Exported(NamedTuple):
    """A finished export. `notes` are for the user, `checks` say how it was checked, a line each."""

    path: Path
    format: Format
    size_bytes: int
    files: tuple[str, ...]
    notes: tuple[str, ...]
    checks: tuple[str, ...]
    checked: Checked
    metric: str


def export(
    run: RunFolder,
    format_: Format,
    out: Path,
    *,
    max_loss: float = MAX_LOSS,
    approximate: bool = False,
) -> Iterator[Stage | Exported]:
    """Export the best weights of `run` into the new folder `out`; the last item is the `Exported`.

    `max_loss`, 0 or more, bounds what the export may lose of the metric that decides, on the run's
    dev data. With `approximate`, nonlinear units are replaced by linear ones (`linear_fit`).

    Raises:
        ConfigError: `out` exists, its parent does not, or a package is missing.
        ModelError: the run has no best weights, or the format cannot hold them.
        ResourceError: the disk is full.
        ExportError: what was written differs from the run by more than is allowed.
        RunError: another process exports to `out`.
    """
    path = free_place(out, format_)
    yield Stage("loading the run", 0.0)
    loaded = load_saved(run.best, run.name)
    assert loaded.card is not None
    try:
        with under_construction(path) as temporary:
            yield from _export(run, loaded, format_, path, temporary, max_loss, approximate)
    except OSError as error:
        if error.errno in OUT_OF_ROOM:
            raise ResourceError(
                f"--out {one_line(path)}: no room on the disk ({error.strerror}); nothing was left"
            ) from None
        raise ConfigError(f"--out {one_line(path)}: {error.strerror}; nothing was left") from None


def _export(
    run: RunFolder,
    loaded: LoadedModel,
    format_: Format,
    path: Path,
    temporary: Path,
    max_loss: float,
    approximate: bool,
) -> Iterator[Stage | Exported]:
    card = loaded.card
    assert card is not None
    yield Stage("reading the run's data", 0.1)
    data = run_data(run, loaded.base)
    if not isinstance(data, str):
        with contextlib.suppress(OSError):  # a run may be kept read-only
            note_use(
                run.path, f"export {format_}", fingerprint=data.fingerprint, size=len(data.dev)
            )
    texts = check_texts(data, card.metric, prompts=loaded.base.shape.prompts)
    model = plain_model(loaded)
    fit_words: list[str] = []
    if approximate and model.units:
        yield Stage("fitting linear units on the train text", 0.2)
        if isinstance(data, str):
            raise ConfigError(f"--fold approximate needs the run's train text: {data}")
        model, fit_words = fitted(loaded, model, data)
    yield Stage(f"writing {format_}", 0.3)
    base = plain_model(base_of(loaded)) if format_ == "delta" else model
    parts = written(format_, model, plain_model(loaded, folded=False), base, card, temporary)
    if fit_words:
        parts = parts._replace(tolerance=float("inf"), min_cosine=0.9, loses=True)
    _refuse_unjudged(parts, texts, format_)
    _write(parts, temporary)
    if format_ == "st" and "model.safetensors" in parts.files:
        own = export_card(card, parts.files["model.safetensors"])
        _write_file(temporary / EXPORT_CARD, json_bytes(own))
    yield Stage("reading it back in a fresh process", 0.5)
    checked = _check(parts, loaded, model, texts, temporary)
    _refuse_loss(checked, max_loss, texts, format_)
    checks = tuple(_check_lines(checked, parts, texts, max_loss))
    record = read_record(run.path)
    finished = record.last if record.summary.state == "finished" else {}
    facts = CardFacts(
        name=run.name,
        format=format_,
        card=card,
        settings=record.settings,
        result=finished,
        usage=parts.usage,
        notes=(*parts.notes, *fit_words),
        checks=checks,
        published=loaded.base.published,
        base_name=loaded.base.name,
        width=loaded.base.shape.encoder.width,
    )
    _write_file(temporary / "README.md", model_card(facts).encode())
    yield Stage("finishing", 0.95)
    for folder in {file.parent for file in temporary.rglob("*")}:
        sync(folder)
    files = sorted(p for p in temporary.rglob("*") if p.is_file())
    names = tuple(str(file.relative_to(temporary)) for file in files)
    size = sum(file.stat().st_size for file in files)
    if os.path.lexists(path):  # rename would replace an empty folder that was just made
        raise OSError(errno.EEXIST, "exists by now", str(path))
    os.rename(temporary, path)
    sync(path.parent)
    notes = (*parts.notes, *fit_words)
    yield Exported(path, format_, size, names, notes, checks, checked, card.metric)


def _write(parts: Written, folder: Path) -> None:
    for name, content in parts.files.items():
        _write_file(folder / name, content)
    if parts.write is not None:
        parts.write(folder)


def _write_file(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    write_new(path, content)


def _check(
    parts: Written,
    loaded: LoadedModel,
    model: PlainModel,
    texts: CheckTexts,
    folder: Path,
) -> Checked:
    """Read the export in a fresh process, and compare it with the run."""
    facts, vectors = read_fresh(parts.readings, folder, loaded.base.folder, parts.file, texts.texts)
    if not token_states_suffice(model) or "modules" in facts:
        facts.pop("pooled_difference", None)  # the token states do not know the adapter
    if vectors is not None:
        return check_vectors(facts, vectors, embedded(loaded, texts.texts), texts, parts)
    if "gguf" in parts.readings:
        return check_sums(facts, gguf_tensors(model))
    expected = dict(model.weights)
    if model.adapter is not None:
        expected["adapter.weight"], expected["adapter.bias"] = model.adapter
    for units in model.units:
        expected |= named_units(units)
    return check_sums(facts, expected)


def _refuse_unjudged(parts: Written, texts: CheckTexts, format_: Format) -> None:
    """Refuse an export that loses something where no data can tell how much."""
    if parts.loses and texts.score is None:
        raise ConfigError(
            f"--format {format_} changes the embeddings and is judged on the run's dev data, which "
            f"cannot be read: {texts.missing}"
        )


def _refuse_loss(checked: Checked, max_loss: float, texts: CheckTexts, format_: Format) -> None:
    """Refuse an export that loses more than `max_loss` of the deciding metric."""
    loss = checked.loss
    if loss is not None and loss > max_loss:
        name = METRIC_WORDS[texts.metric].name
        raise ExportError(
            f"--format {format_} loses {loss:.4f} {name} on {texts.words} ({checked.own_score:.4f} "
            f"to {checked.score:.4f}), more than --max-loss {max_loss:g}; the folder was removed"
        )


def _check_lines(
    checked: Checked, parts: Written, texts: CheckTexts, max_loss: float
) -> Iterator[str]:
    """How the export was checked, a line each; equal for equal exports."""
    if checked.difference is None:
        yield f"Every weight, read in a fresh process by {checked.library}, has NEXUS's bits."
    else:
        words = f"Read in a fresh process by {checked.library}: {len(texts.texts):,} texts embedded"
        if parts.tolerance < 1:
            words += f", no number further than {parts.tolerance:.0e} from NEXUS's"
        yield f"{words}, mean cosine to NEXUS's embeddings {checked.cosine:.4f}."
    if checked.score is not None:
        name = METRIC_WORDS[texts.metric].name
        yield (
            f"{name} on {texts.words}: {checked.score:.4f}, NEXUS {checked.own_score:.4f} "
            f"(a loss up to {max_loss:g} is allowed)."
        )
    elif texts.score is None:
        yield f"The metric on dev was not computed: {texts.missing}."
    else:
        yield f"Equal weights score equally: {METRIC_WORDS[texts.metric].name} was not computed."
