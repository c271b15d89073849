"""From a SPEC to questions in three splits, their answers, and the corpus."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nexus_engine.data.files.locating import ALL_PAIRS, locate, located_file
from nexus_engine.data.messages import file_error, shown_path
from nexus_engine.data.questions.assembling import Assembly, assembled
from nexus_engine.data.questions.beir import corpus_texts, gather_beir
from nexus_engine.data.questions.documents import DocumentCutter, Passage
from nexus_engine.data.questions.gathering import Gathered, Origin
from nexus_engine.data.questions.label_corpus import DEMO, corpus_path, gather_corpus
from nexus_engine.data.questions.label_questions import gather_labels
from nexus_engine.data.questions.layout import Layout, layout_of
from nexus_engine.data.questions.llama_index import gather_llama_index, is_llama_index
from nexus_engine.data.questions.placing import DocumentTexts
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.data.questions.records import AnswerPlace, gather_records
from nexus_engine.data.questions.weak_pairs import TitledBody
from nexus_engine.data.reading.formats import FileKind
from nexus_engine.data.reading.sources import Source, file_source, refused_access
from nexus_engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["DEMO", "PAIR_SETS", "load_questions", "spec_path"]

PAIR_SETS = ("demo", "stsb")
"""Names of graded pairs."""
GIVE_QUESTIONS = (
    "a run must be judged by at least 20 questions: put them beside the documents as dev.jsonl, "
    'a line each, {"question": ..., "answer": ...} or {"question": ..., "source": FILE}'
)


@dataclass(frozen=True, slots=True)
class _Options:
    columns: Mapping[str, str] | None
    skip_bad: bool


@dataclass(slots=True)
class _Cut:
    """Documents that were cut."""

    texts: DocumentTexts = field(default_factory=DocumentTexts)
    passages: list[Passage] = field(default_factory=list)


def spec_path(spec: str) -> Path:
    """The path that `spec` means; `./demo-search` means a path of that name.

    Raises DataError for an empty one.
    """
    if not spec:
        raise DataError(f"no data given: name a file or folder, or `{DEMO}`")
    return corpus_path(spec)


def load_questions(
    spec: str,
    *,
    seed: int = 0,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    tokenizer: Tokenizer | None = None,
    max_tokens: int = 256,
    corpus: str | None = None,
) -> QuestionData:
    """Load questions, their answers and the corpus.

    Args:
        spec: `demo-search`; a file of records or of LlamaIndex; a folder of train, dev and test
            files, of BEIR's layout, or of documents beside questions; a saved dataset.
        seed: What a cut is drawn from. 0 or more.
        columns: Names of columns by role, see `fields.columns_option`.
        skip_bad: Leave out records that cannot be used, and count them.
        tokenizer: The model's own, without truncation: documents are cut by its tokens.
        max_tokens: Of a passage that is cut from a document, the model's two marks included.
        corpus: Documents among whose passages the questions of one file are ranked (see
            `label_corpus`); None for the passages of the file alone.

    Raises DataError, with file, row and reason, for what cannot be used.
    """
    if seed < 0:
        raise ConfigError(f"seed {seed}: must be 0 or more")
    if spec in PAIR_SETS:
        raise file_error(spec, "holds graded pairs; train on them with --task pairs")
    path = spec_path(spec)
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise refused_access(path, error) from None
    options = _Options(columns, skip_bad)
    gathered, notes = Gathered(), list[str]()
    label = shown_path(path)
    name = spec if spec == DEMO else shown_path(path.name or path.resolve().name or label)
    assembly = Assembly(gathered, name, spec, label, seed, notes)
    if not is_folder:
        _gather_file(assembly, *located_file(path), options)
        if corpus is None:
            return assembled(assembly)
        found = gather_corpus(gathered, corpus, _needed(tokenizer), max_tokens, skip_bad=skip_bad)
        notes += found.notes
        assembly.asking = found.asking
        return assembled(assembly)
    if corpus is not None:
        raise file_error(label, "is a folder with passages of its own; leave out --corpus")
    layout = layout_of(path)
    if layout.beir is not None:
        remarks = gather_beir(gathered, layout.beir, skip_bad=skip_bad)
        judged = [split for split in ("train", "dev", "test") if split in layout.beir]
        notes += [f"BEIR layout: {', '.join(judged)} judged in qrels", *remarks]
        titled = layout.beir["corpus"]
        return assembled(assembly, weak=lambda: _titled_corpus(titled, skip_bad=skip_bad))
    if layout.documents and not layout.splits and layout.questions is None:
        count = f"{len(layout.documents):,} document" + "s" * (len(layout.documents) > 1)
        raise file_error(label, f"holds {count} and no questions; {GIVE_QUESTIONS}")
    if layout.documents:
        cut = _cut_documents(assembly, path, layout, _needed(tokenizer), max_tokens)
        _gather_beside(assembly, layout, cut, options)
        assembly.has_documents = True
        assembly.holds_out_few = layout.questions is not None
        return assembled(assembly, weak=lambda: map(_titled_body, cut.passages))
    if layout.questions is not None:
        _gather_file(assembly, *located_file(layout.questions), options)
        return assembled(assembly)
    located = locate(spec)
    notes += located.notes
    for split, files in located.files.items():
        for source, kind in files:
            named = "" if split == ALL_PAIRS else split
            _note(notes, gather_records(
                gathered, source, kind, split=named, columns=columns, skip_bad=skip_bad
            ))  # fmt: skip
    return assembled(assembly)


def _needed(tokenizer: Tokenizer | None) -> Tokenizer:
    if tokenizer is None:
        raise ValueError("documents are cut by the tokens of a tokenizer; give it")
    return tokenizer


def _gather_file(assembly: Assembly, source: Source, kind: FileKind, options: _Options) -> None:
    if kind is FileKind.LABELS:
        if options.columns is not None:
            raise file_error(
                source.label, "is a label file, whose fields are known; leave --columns"
            )
        assembly.keeps_parts = True
        labels = gather_labels(assembly.gathered, source)
        assembly.labels = labels.fingerprint
        assembly.notes += labels.notes
        return
    if kind is FileKind.JSONL and options.columns is None and is_llama_index(source):
        gather_llama_index(assembly.gathered, source)
        layout = "queries, corpus and relevant_docs in one JSON object"
        assembly.notes += [layout, *source.remarks]
        return
    assembly.notes += gather_records(
        assembly.gathered, source, kind, columns=options.columns, skip_bad=options.skip_bad
    )


class _Split(NamedTuple):
    name: str
    path: Path


def _gather_beside(assembly: Assembly, layout: Layout, cut: _Cut, options: _Options) -> None:
    """Gather the questions beside documents, and find their answers in them."""
    places: list[AnswerPlace] = []
    files = [_Split(name, path) for name, paths in (layout.splits or {}).items() for path in paths]
    if layout.questions is not None:
        files.append(_Split("", layout.questions))
    for split in files:
        source, kind = located_file(split.path)
        _note(assembly.notes, gather_records(
            assembly.gathered, source, kind, split=split.name,
            columns=options.columns, skip_bad=options.skip_bad, places=places,
        ))  # fmt: skip
    apart = cut.texts.settle(assembly.gathered, places)
    if apart:
        which = "1 answer stands" if apart == 1 else f"{apart:,} answers stand"
        passages = "a passage" if apart == 1 else "passages"
        assembly.notes.append(f"{which} in no document, and became {passages} of the corpus")


def _cut_documents(
    assembly: Assembly, folder: Path, layout: Layout, tokenizer: Tokenizer, max_tokens: int
) -> _Cut:
    cut, cutter = _Cut(), DocumentCutter(tokenizer, max_tokens)
    empty = 0
    gathered = assembly.gathered
    for path in layout.documents:
        passages = cutter.passages_of(path, folder)
        if not passages:
            empty += 1
            continue
        rows = []
        for passage in passages:
            row = gathered.passages.add(passage.text)
            headings = " > ".join(passage.headings)
            gathered.origins.setdefault(row, Origin(passage.source, passage.start, headings))
            rows.append(row)
        cut.texts.add(passages, rows)
        cut.passages += passages
    if not cut.passages:
        raise file_error(assembly.label, "its documents are empty; give documents with text")
    count = f"{len(layout.documents):,} document" + "s" * (len(layout.documents) > 1)
    note = f"{count} cut into {len(gathered.passages):,} passages of at most {max_tokens} tokens"
    assembly.notes.append(note + (f"; {empty:,} of them are empty" if empty else ""))
    for remark, times in cutter.remarked.items():
        assembly.notes.append(f"{times:,} document{'s' * (times > 1)} {remark}")
    return cut


def _titled_corpus(corpus: Path, *, skip_bad: bool) -> Iterator[TitledBody]:
    for titled in corpus_texts(file_source(corpus), (lambda _: None) if skip_bad else None):
        if titled.body:
            yield TitledBody(titled.title, titled.body)


def _titled_body(passage: Passage) -> TitledBody:
    return TitledBody(passage.title, passage.body, passage.source)


def _note(notes: list[str], lines: list[str]) -> None:
    notes += [line for line in lines if line not in notes]
