"""`nexus models`: lists the base models on this machine, and those that can be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nexus_engine.model.model_list import ListedModel

__all__ = ["models"]


def models(
    here: Annotated[
        bool, typer.Option("--here", help="Only the models that are on this machine.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")] = False,
) -> None:
    """List the base models by name, for --base NAME; those on this machine first.

    A folder with another encoder of BERT's shape is given by its path: --base DIR.
    """
    from nexus_engine.model.model_list import list_models
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown
    from nexus_tui.words.render import table

    listed = [model for model in list_models() if model.folder is not None or not here]
    if json:
        for model in listed:
            streams.put_json(_facts(model))
        return
    header = ("name", "layers", "width", "tokenizer", "pooling", "tokens", "prompts", "size")
    right = (False, True, True, False, False, True, False, True)
    streams.put(*table(header, [_row(model) for model in listed], right))
    for model in listed:
        if model.problem:
            streams.say(f"warning: {model.problem}")
        elif model.folder is not None:
            streams.put(f"{model.name}: {shown(str(model.folder), 300)}")
    if any(model.folder is None for model in listed):
        streams.say("what is not here: nexus fetch model NAME, on a machine with a network")


def _row(model: ListedModel) -> tuple[str, ...]:
    shape = model.shape
    if shape is None:
        where = "cannot be used" if model.problem else "not here"
        return (model.name, "", "", "", "", "", "", where)
    return (
        model.name,
        str(shape.encoder.layers),
        str(shape.encoder.width),
        shape.tokenizer,
        shape.encoder.pooling,
        str(shape.max_tokens),
        _prompt_words(model),
        f"{(model.size_bytes or 0) / 1e6:,.0f} MB",
    )


def _prompt_words(model: ListedModel) -> str:
    assert model.shape is not None
    query, passage = model.shape.prompts
    names = [name for name, text in (("query", query), ("passage", passage)) if text]
    return ", ".join(names) or "none"


def _facts(model: ListedModel) -> dict[str, Any]:
    shape = model.shape
    encoder = None if shape is None else shape.encoder
    return {
        "name": model.name,
        "repository": model.repository,
        "path": None if model.folder is None else str(model.folder),
        "origin": model.origin,
        "layers": None if encoder is None else encoder.layers,
        "width": None if encoder is None else encoder.width,
        "heads": None if encoder is None else encoder.heads,
        "vocabulary": None if encoder is None else encoder.vocabulary,
        "parameters": None if encoder is None else encoder.parameters,
        "tokenizer": None if shape is None else shape.tokenizer,
        "pooling": None if encoder is None else encoder.pooling,
        "normalise": None if shape is None else shape.normalise,
        "max_tokens": None if shape is None else shape.max_tokens,
        "query_prompt": None if shape is None else shape.prompts.query,
        "passage_prompt": None if shape is None else shape.prompts.passage,
        "size_bytes": model.size_bytes,
        "hashes_known": model.is_recorded,
        "problem": model.problem,
    }
