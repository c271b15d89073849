"""Question sets as LlamaIndex writes them: one JSON object with queries, corpus, relevant_docs."""

from __future__ import annotations

from typing import Any

from nexus_engine.data.messages import file_error
from nexus_engine.data.questions.gathering import Gathered
from nexus_engine.data.reading.json_values import RepeatedKeyError, decoded
from nexus_engine.data.reading.sources import Source
from nexus_engine.data.reading.text_lines import text_pieces

__all__ = ["gather_llama_index", "is_llama_index"]

KEYS = ("queries", "corpus", "relevant_docs")
MAX_GAIN = 1e6
"""A relevance is a small number."""
MAX_CHARACTERS = 500_000_000
"""Of one JSON object that must be read as one piece."""


def is_llama_index(source: Source) -> bool:
    """Whether a JSON file begins as LlamaIndex writes question sets: one of its keys, an object.

    Raises DataError for what is not text.
    """
    pieces = text_pieces(source)
    try:
        head = next(pieces, "").lstrip()
        while len(head) < 64 and (piece := next(pieces, "")):
            head += piece.strip()
    finally:
        pieces.close()
    names = [f'"{key}"' for key in KEYS]
    inside = head[1:].lstrip()
    return head.startswith("{") and any(
        inside.startswith(name) and inside[len(name) :].lstrip(" \t:\r\n").startswith("{")
        for name in names
    )


def gather_llama_index(into: Gathered, source: Source) -> None:
    """Gather one JSON object with `queries`, `corpus` and `relevant_docs`.

    Raises DataError for another shape, and for ids that are not there.
    """
    whole = _json_object(source)
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), dict) for key in KEYS):
        raise file_error(source.label, f"is not an object with {', '.join(KEYS)}")
    passages = {key: into.passage(source.label, 1, text) for key, text in whole["corpus"].items()}
    for key, text in whole["queries"].items():
        into.rows += 1
        relevant = whole["relevant_docs"].get(key)
        if not isinstance(relevant, list | dict) or not relevant:
            raise file_error(source.label, "a query has no relevant_docs; add them or remove it")
        number = into.question(source.label, 1, text, key=key)
        for passage in relevant:
            if not isinstance(passage, str) or passage not in passages:
                reason = "relevant_docs names a passage that is not in corpus"
                raise file_error(source.label, f"{reason}; add it or remove the id")
            gain = relevant[passage] if isinstance(relevant, dict) else 1.0
            if not isinstance(gain, int | float) or not -MAX_GAIN < gain < MAX_GAIN:
                reason = "relevant_docs gives a relevance that is not a number"
                raise file_error(source.label, f"{reason}; correct it")
            if gain > 0:
                into.answer(number, passages[passage], float(gain))
            else:
                into.negative(number, passages[passage])


def _json_object(source: Source) -> Any:
    pieces: list[str] = []
    size = 0
    for piece in text_pieces(source):
        size += len(piece)
        if size > MAX_CHARACTERS:
            reason = "is one JSON object of more than 500 MB; write it as corpus.jsonl, "
            raise file_error(source.label, f"{reason}queries.jsonl and qrels/train.tsv")
        pieces.append(piece)
    try:
        return decoded("".join(pieces).strip())
    except RepeatedKeyError:
        raise file_error(source.label, "an id stands twice; give each its own") from None
    except (ValueError, RecursionError):
        raise file_error(source.label, "is not JSON, or is cut off; copy it again") from None
