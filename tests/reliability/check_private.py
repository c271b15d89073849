"""The user's sentences stay where they are: files, modes, sockets, pickles, the terminal, names."""

from __future__ import annotations

import json
import os
import random
import stat
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from nexus_engine.errors import NexusError
from nexus_engine.runs.folder import RunFolder, find_run, remove_run
from reliability import children, tiny_runs
from reliability.outcome import Outcome

CANARIES = 20
UMASKS = (0o000, 0o022, 0o077, 0o277, 0o777)


def _canaries(seed: int = 1) -> list[str]:
    """Sentences of words that stand nowhere else."""
    chance = random.Random(seed)
    letters = "bcdfghjklmnpqrstvwxz"

    def word() -> str:
        return "".join(chance.choice(letters) + chance.choice("aeiou") for _ in range(4))

    return [f"Patient {word()} {word()} takes {word()}." for _ in range(CANARIES)]


def _plant(folder: Path) -> list[str]:
    """Pairs and questions of canaries in train, dev and test, and a corpus to search in."""
    found = _canaries()
    pairs = folder / "pairs"
    pairs.mkdir(parents=True)
    rows = [f"{found[n]},{found[(n + 1) % CANARIES]},{n % 6}" for n in range(CANARIES)]
    for split in ("train", "dev", "test"):
        (pairs / f"{split}.csv").write_text("\n".join(["sentence1,sentence2,score", *rows]) + "\n")
    (pairs / "corpus.txt").write_text("\n".join(found) + "\n")
    questions = folder / "questions"
    questions.mkdir()
    for start, split in enumerate(("train", "dev", "test")):
        lines = [
            json.dumps({"query": f"{found[n]} Why?", "pos": [found[-n - 1]], "neg": [found[n + 6]]})
            for n in range(start, CANARIES // 2, 3)
        ]
        (questions / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return found


def _use_everything(folder: Path, *, umask: int | None, break_it: bool = False) -> dict[str, Any]:
    """In a child: train, eval, similarity and compare as commands; what was seen on the way."""
    seen: Counter[str] = Counter()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("pickle.find_class", "socket.connect", "socket.getaddrinfo"):
            seen[event] += 1
        elif event == "import" and str(arguments[0]).startswith("gt_all"):
            seen["import of a model's code"] += 1

    tiny_runs.make_tiny()
    for place in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "HF_HOME"):
        (folder / place).mkdir()
        os.environ[place] = str(folder / place)
    os.environ.pop("HF_HUB_CACHE", None)
    os.chdir(folder)
    if umask is not None:
        os.umask(umask)
    from nexus_tui.cli.main import main

    sys.addaudithook(hook)
    if break_it:
        from nexus_engine.training.arm.arm import Arm

        def broken(self: Any, picked: Any) -> Any:
            sentence = _canaries()[0]
            raise ValueError(f"cannot encode {sentence}")

        Arm.make_step = broken  # type: ignore[method-assign]
    train = ["train", "--data", "pairs", "--tune", "dendrites", "--place", "v", "--layers", "1"]
    train += ["--epochs", "3", "--lr", "1e-2", "--batch-size", "8", "--threads", "1"]
    of_questions = [*train[1:], "--out", "question-run", "--task", "retrieval"]
    of_questions[1] = "questions"
    commands = (
        [*train, "--out", "run"],
        ["eval", "run", "--data", "pairs"],
        ["compare", "base", "run", "--data", "pairs"],
        ["runs", "show", "run"],
        ["train", *of_questions],
        ["runs", "show", "question-run"],
    )
    codes = [main(command) for command in commands]
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # similarity shows the sentences asked about
    codes.append(main(["similarity", "run", "--file", "pairs/test.csv"]))
    codes.append(main(["similarity", "run", *_canaries()[:2]]))
    codes.append(main(["search", "run", "--corpus", "pairs/corpus.txt", _canaries()[0]]))
    codes.append(main(["search", "question-run", "--corpus", "pairs/corpus.txt", _canaries()[0]]))
    sys.stdout.flush()
    os.dup2(out, 1)
    return {"codes": codes, "seen": dict(seen)}


def _found_in(folder: Path, canaries: list[str]) -> list[str]:
    """Files but the data's own that hold a canary, in any of three encodings."""
    signs = [word for c in canaries for word in c.split() if len(word) == 8]
    needles = [s.encode(e) for s in signs for e in ("utf-8", "utf-16-le", "utf-16-be")]
    found = []
    own = {folder / "pairs", folder / "questions"}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and own.isdisjoint(path.parents):
            content = path.read_bytes()
            if any(needle in content for needle in needles):
                found.append(f"a canary is in {path.relative_to(folder)}")
    return found


class Used(NamedTuple):
    """A folder in which every command was used, and what was seen on the way."""

    folder: Path
    planted: list[str]
    told: dict[str, Any]


def use_everything(place: Path, mutation: str | None = None, *, broken: bool = False) -> Used:
    """Train, eval, compare, similarity and search on canaries; `broken`: the training crashes."""
    folder = place / f"used-{broken}"
    planted = _plant(folder)
    told = children.call(_use_everything, folder, mutation, umask=None, break_it=broken)
    return Used(folder, planted, told)


def canaries(place: Path, mutation: str | None = None, used: Used | None = None) -> Outcome:
    """After train, eval, compare, similarity and a crash, no file holds a sentence."""
    failures: list[str] = []
    for broken in (False, True):
        one = None if broken else used
        folder, planted, told = one or use_everything(place, mutation, broken=broken)
        wanted = 1 if broken else 0
        for name, code in zip(("pairs", "questions"), told["codes"][:5:4], strict=True):
            if code != wanted:
                stderr = (folder / "stderr").read_text()[-300:]
                failures.append(f"{name}: train ended with {code}, not {wanted}: {stderr}")
        if not broken and any(told["codes"]):
            failures.append(f"exit codes {told['codes']}")
        failures += _found_in(folder, planted)
        (folder / "leak").write_text(planted[3])
        if not _found_in(folder, planted):
            failures.append("the search does not find what is there")
    return Outcome("canary sentences are found nowhere", 2 * CANARIES, failures)


def nothing_opened(place: Path, mutation: str | None = None, used: Used | None = None) -> Outcome:
    """No pickle is opened, no socket, no code of a model, in train, eval, compare and ask."""
    folder, _, told = used or use_everything(place, mutation)
    failures = [f"{event}: {times}" for event, times in told["seen"].items()]
    failures += [f"exit codes {told['codes']}"] if any(told["codes"]) else []
    if json.loads((folder / "run/result.json").read_text())["params_added"] == 0:
        failures.append("no set was kept: there were no weights to load")
    audit = [json.loads(line) for line in (folder / "run/audit.jsonl").read_text().splitlines()]
    uses = [line["use"] for line in audit]
    wanted = ["train", "eval test", "compare test", "similarity", "similarity", "search"]
    if uses != wanted:
        failures.append(f"the audit file holds {uses}")
    if [line["data_fingerprint"] is None for line in audit] != ([False] * 4 + [True, False]):
        failures.append("a fingerprint is missing, or made of two typed sentences")
    return Outcome("0 pickles, 0 sockets, each use noted", 6, failures)


def modes(place: Path, mutation: str | None = None, umasks: tuple[int, ...] = UMASKS) -> Outcome:
    """Folders 0700 and files 0600 under any umask."""
    failures = []
    for umask in umasks:
        folder = place / f"umask-{umask:03o}"
        _plant(folder)
        told = children.call(_made_under, folder, mutation, umask=umask)
        failures += [f"umask {umask:03o}: {line}" for line in told]
    return Outcome("modes are 0700 and 0600 under any umask", len(umasks), failures)


def _made_under(folder: Path, *, umask: int) -> list[str]:
    os.umask(umask)
    tiny_runs.make_tiny()
    kept = RunFolder.create(None, "x")
    from nexus_engine.training.run import train

    settings = tiny_runs.settings_of(folder, "adapter", epochs=2, switch_epochs=(1,))
    with kept.lock:
        list(train(settings, kept))
    os.umask(0o022)
    made = [folder / "data" / "nexus", *(folder / "data" / "nexus").rglob("*")]
    wrong = []
    for path in made:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink() and mode != (0o700 if path.is_dir() else 0o600):
            wrong.append(f"{path.relative_to(folder)} has {mode:04o}")
    return wrong + ([] if len(made) > 12 else [f"only {len(made)} files were made"])


def _warned(folder: Path, *, mode: int) -> list[str]:
    """In a child: resume in a folder of that mode; the warnings."""
    tiny_runs.train(folder, "adapter", epochs=2, switch_epochs=(1,), meet=_stop_soon)
    (folder / "run").chmod(mode)
    found: list[str] = []

    def listen(event: Any, steering: Any) -> None:
        if type(event).__name__ == "Warned":
            found.append(event.message)

    tiny_runs.train(folder, "adapter", epochs=2, switch_epochs=(1,), resume=True, meet=listen)
    return found


def _stop_soon(event: Any, steering: Any) -> None:
    if type(event).__name__ == "Step":
        steering.stop("test")


FOLDER_MODES = {0o700: 0, 0o770: 1, 0o707: 1, 0o777: 1}
"""How often each is warned about."""


def warned(place: Path, modes: tuple[int, ...] = tuple(FOLDER_MODES)) -> Outcome:
    """A run folder where others may write is warned about; one of the owner's alone is not."""
    failures = []
    for mode in modes:
        wanted = FOLDER_MODES[mode]
        folder = place / f"mode-{mode:o}"
        tiny_runs.write_data(folder / "pairs")
        told = children.call(_warned, folder, mode=mode)
        found = [line for line in told if "others may write" in line]
        if len(found) != wanted:
            failures.append(f"{mode:o}: {told}")
    return Outcome("a folder where others may write is warned about", len(modes), failures)


NAMES = (
    "../x",
    "../../etc",
    "..",
    ".",
    "/etc",
    "/",
    "a\0b",
    "-rf",
    "--help",
    "two\nlines",
    "x" * 300,
    "\x1b]52;c;x\x07",
    "\u202eevil",
    "",
    " ",
    "a/b",
    "~root",
    "latest/../..",
)


def names(place: Path) -> Outcome:
    """Names that no run has are refused in one printable line, and nothing is deleted."""
    os.environ["XDG_DATA_HOME"], before = str(place / "home"), os.environ.get("XDG_DATA_HOME")
    failures = []
    (place / "home/nexus/runs").mkdir(parents=True)
    (place / "home/nexus/x").mkdir()
    try:
        for name in NAMES:
            for use in (find_run, remove_run):
                try:
                    failures.append(f"{name!r}: {use(name)}")
                except NexusError as error:
                    if not str(error).isprintable() or len(str(error)) > 300:
                        failures.append(f"{name!r}: {error!r}")
                except Exception as error:
                    failures.append(f"{name!r}: {type(error).__name__}")
    finally:
        if before is None:
            del os.environ["XDG_DATA_HOME"]
        else:
            os.environ["XDG_DATA_HOME"] = before
    if not (place / "home/nexus/x").is_dir():
        failures.append("a folder beside the runs is gone")
    return Outcome("names and paths that are no run's are refused", 2 * len(NAMES), failures)
