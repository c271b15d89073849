"""The job that the parent writes into the child's folder, and the messages that the child sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from safetensors.torch import load_file
from torch import Tensor

from nexus_engine.disk.files import write_json
from nexus_engine.disk.json_text import plain, revive
from nexus_engine.disk.tensor_files import write_tensors
from nexus_engine.errors import ModelError
from nexus_engine.scoring.evaluation import Measured
from nexus_engine.training.arm.spec import ArmSpec

__all__ = ["Best", "Done", "Failed", "Job", "Message", "read_job", "write_job"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One arm to train.

    `tensors.safetensors` beside it holds the base model's `guard` and `dev` similarities and, for a
    frozen encoder, `features`.
    """

    spec: ArmSpec
    base_folder: str
    baseline: Measured
    threads: int


class Best(msgspec.Struct, frozen=True, kw_only=True, tag_field="message", tag="best"):
    """The best weights so far are in `file` in the child's folder, under the library's names."""

    file: str
    measured: Measured


class Done(msgspec.Struct, frozen=True, kw_only=True, tag_field="message", tag="done"):
    """The arm is trained."""

    progress: dict[str, Any]
    growth: dict[str, Any]
    records: list[dict[str, Any]]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="message", tag="failed"):
    """The child has failed."""

    kind: Literal["NexusError", "LibraryAsked", "internal"]
    text: str
    exit_code: int


Message = Best | Done | Failed


def write_job(folder: Path, job: Job, tensors: dict[str, Tensor]) -> None:
    """Write the job into `folder`."""
    write_json(folder / "job.json", plain(job))
    write_tensors(folder / "tensors.safetensors", tensors)


def read_job(folder: Path) -> tuple[Job, dict[str, Tensor]]:
    """Read the job in `folder`.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        job = msgspec.convert(revive(msgspec.json.decode((folder / "job.json").read_bytes())), Job)
        return job, load_file(folder / "tensors.safetensors")
    except (OSError, ValueError) as error:
        raise ModelError(
            f"perforatedai: its job is not readable ({type(error).__name__})"
        ) from None
