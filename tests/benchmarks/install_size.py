"""What an installation downloads and stores: its packages as files, and its environment on disk.

    python tests/benchmarks/install_size.py [--torch-index URL] [--keep FOLDER] [--only NAME]

Each kind is downloaded by `pip download` into an empty folder, and installed from that folder
alone into an empty environment, with pip's compiled files. Stored is what the blocks of its files
take, pip itself included. `--torch-index ""` takes torch from where pip is set up to look. Needs
a network, 5 GB of disk, and about ten minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0"
KINDS = {
    "query-only": ["numpy", "onnxruntime", "tokenizers"],
    "plain": [TORCH, "nexus-dendrites"],
    "export": [TORCH, "nexus-dendrites[export]"],
}
MB = 1e6


def stored(folder: Path) -> int:
    """The bytes on disk of the files under `folder`."""
    return sum(p.lstat().st_blocks * 512 for p in folder.rglob("*") if not p.is_symlink())


def largest(files: list[Path], count: int = 6) -> str:
    """The names and sizes of the largest packages."""
    order = sorted(files, key=lambda file: -file.stat().st_size)[:count]
    return ", ".join(f"{file.name.split('-')[0]} {file.stat().st_size / MB:.1f}" for file in order)


def measure(kind: str, folder: Path, torch_index: str) -> None:
    """Print a row for `kind`."""
    packages, environment = folder / "packages", folder / "environment"
    packages.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wants = KINDS[kind]
    if TORCH in wants:
        index = ["--index-url", torch_index] if torch_index else []
        subprocess.run([*pip, "download", "-d", packages, "--no-deps", *index, TORCH], check=True)
        subprocess.run([*pip, "wheel", "-w", packages, "--no-deps", ROOT], check=True)
    here = ["--find-links", packages]
    subprocess.run([*pip, "download", "-d", packages, *here, *wants], check=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    empty = stored(environment)
    python = environment / "bin" / "python"
    install = [python, *pip[1:], "install", "--no-index", *here]
    subprocess.run([*install, *wants], check=True)
    files = list(packages.iterdir())
    print(
        f"{kind}: {len(files)} packages, {sum(f.stat().st_size for f in files) / MB:.0f} MB down, "
        f"{stored(environment) / MB:.0f} MB on disk ({empty / MB:.0f} MB before); {largest(files)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-index", default="https://download.pytorch.org/whl/cpu")
    parser.add_argument("--keep", type=Path, help="an empty folder for the files")
    parser.add_argument("--only", choices=KINDS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in [args.only] if args.only else KINDS:
            measure(kind, (args.keep or Path(temporary)).resolve() / kind, args.torch_index)


if __name__ == "__main__":
    main()
