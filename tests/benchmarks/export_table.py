"""The table consumer × format: what each library makes of a run's exports.

    python tests/benchmarks/export_table.py --runs best=DIR default=DIR ... --python PYTHON ...
        [--split test] [--pairs 2000] [--questions 300] [--passages 4096] [--work DIR]
        [--node-modules DIR] [--formats st onnx] [--consumers fastembed Chroma]

Each run is exported in each format and read by the programs of docs/consumers.md, each in a fresh
process of the first interpreter that has its packages. These interpreters may not have NEXUS: then
a program fails. --pairs, --questions and --passages bound the sample of the split. Printed are, for
each, the largest difference of a number of a normalised embedding to NEXUS's (of texts that the
model reads whole, and of longer ones), the smallest and mean cosine, and the deciding metric by the
consumer and by NEXUS. What a run or format does not allow is a line. --work keeps the exports,
which another call then reads as they are, and adds to table.jsonl.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
from consumer_programs import CONSUMERS  # noqa: E402
from consumer_table import FORMATS, SCRIPT, Entry, judged, table  # noqa: E402

from nexus_engine.exports.dev_texts import SampleSizes  # noqa: E402


def line(label: str, entry: Entry) -> str:
    """A row of the table."""
    start = f"{label:10} {entry.format:9} {entry.consumer[:38]:38} "
    if entry.difference is None:
        return start + entry.words
    if entry.score is None or entry.own_score is None:
        return f"{start}{entry.difference:8.1e}"
    return (
        f"{start}{entry.difference:8.1e} {entry.cut_difference:8.1e}  {entry.cosine:.5f} "
        f"{entry.mean_cosine:.5f}  {entry.score:.6f} {entry.own_score:.6f} "
        f"{entry.score - entry.own_score:+.6f} {entry.seconds:6.0f} s"
    )


def main() -> int:
    """Parse the command line, read, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", nargs="+", required=True, metavar="LABEL=DIR")
    parser.add_argument("--python", nargs="+", required=True, metavar="PYTHON")
    parser.add_argument("--node-modules", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--passages", type=int, default=4096)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--consumers", nargs="+", choices=(*CONSUMERS, SCRIPT))
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    sizes = SampleSizes(options.pairs, options.questions, options.passages)
    print(
        f"{'run':10} {'format':9} {'consumer':38} {'largest':>8} {'cut':>8}  {'cosine':7} "
        f"{'mean':7}  {'metric':8} {'NEXUS':8} {'change':9}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        work = (options.work or Path(scratch)).absolute()
        work.mkdir(exist_ok=True)
        for run in options.runs:
            label, _, folder = run.partition("=")
            texts = judged(Path(folder), options.split, sizes)
            print(f"# {label}: {texts.texts.words}, {len(texts.own):,} texts, "
                  f"{int((~texts.whole).sum()):,} of them cut", flush=True)  # fmt: skip
            entries = table(
                Path(folder).absolute(), work / label, texts, options.python,
                options.node_modules, options.formats, options.consumers,
            )  # fmt: skip
            for entry in entries:
                print(line(label, entry), flush=True)
                with (work / "table.jsonl").open("a") as file:
                    facts = {"run": label, "split": options.split, **entry._asdict()}
                    file.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
