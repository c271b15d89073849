"""Cells as tasks of a Ray cluster (the optional extra `ray`), for what one machine cannot do.

The sweep's folder must lie where every node of the cluster sees it under the same path: a cell
whose worker dies goes on elsewhere from its checkpoint there. Ray opens sockets between the
cluster's processes; nothing else in NEXUS does while it trains.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from nexus_engine.errors import ConfigError, RunError, one_line
from nexus_engine.sweeps.processes import cores
from nexus_engine.sweeps.workers import Ended

__all__ = ["RayCluster", "require_ray"]

PASSED_ON = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")


def require_ray() -> None:
    """Nothing where Ray is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "--ray: Ray is not installed; pip install 'nexus-dendrites[ray]', or leave --ray "
            "out to run on this machine's processes"
        )


class RayCluster:
    """At most `jobs` tasks at a time on the cluster at `address`; `local` starts one here.

    Raises:
        ConfigError: Ray is not installed.
        RunError: the cluster cannot be reached.
    """

    def __init__(self, sweep: Path, address: str, jobs: int | None) -> None:
        require_ray()
        # Before Ray is imported: no usage report, no wait for its asking.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self._ray: Any = ray
        self._sweep = sweep
        self._owned = not ray.is_initialized()
        local = address == "local"
        root = str(Path(__file__).parents[2])
        known = os.environ.get("PYTHONPATH")
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        variables["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else root
        if self._owned:
            # Without this Ray starts workers by `uv run` where uv was used to start us.
            os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
            try:
                ray.init(
                    address="local" if local else address,
                    num_cpus=max(jobs or 1, cores()) if local else None,
                    include_dashboard=False if local else None,
                    log_to_driver=False,
                    logging_level="ERROR",
                    runtime_env={"env_vars": variables},
                )
            except Exception as error:
                raise RunError(
                    f"--ray {one_line(address, 80)}: no cluster there ({one_line(error, 160)})"
                ) from None
        total = int(ray.cluster_resources().get("CPU", 1))
        self.jobs = jobs or max(1, total)
        self._threads = max(1, total // self.jobs)
        self.engine = f"ray {one_line(address, 80)}"
        self._live: dict[Any, str] = {}
        # Retries are the sweep's, which counts and tells of them.
        self._task = ray.remote(num_cpus=self._threads, max_retries=0, max_calls=1)(_work)

    def start(self, cell: str) -> None:
        """Hand `cell` to the cluster."""
        self._live[self._task.remote(str(self._sweep), cell, self._threads)] = cell

    def ended(self) -> list[Ended]:
        """See `Workers`."""
        if not self._live:
            return []
        done, _ = self._ray.wait(list(self._live), num_returns=len(self._live), timeout=0)
        found = []
        for handle in done:
            cell = self._live.pop(handle)
            try:
                found.append(Ended(cell, int(self._ray.get(handle)), ""))
            except self._ray.exceptions.RayTaskError as error:
                kind = type(getattr(error, "cause", error)).__name__
                found.append(Ended(cell, 1, f"internal error: {kind} in a Ray task"))
            except self._ray.exceptions.RayError as error:
                kind = type(error).__name__
                found.append(Ended(cell, None, f"its Ray worker was lost ({kind})"))
        return found

    def stop(self) -> None:
        """Interrupt every task: each meets it as Ctrl-C does, and saves."""
        for handle in self._live:
            self._ray.cancel(handle, force=False)

    def close(self) -> None:
        """Leave the cluster; end it where it was started here."""
        for handle in self._live:
            self._ray.cancel(handle, force=True)
        self._live.clear()
        if self._owned:
            self._ray.shutdown()


def _work(sweep: str, cell: str, threads: int) -> int:
    """In a Ray worker: the run of a cell; its exit code.

    Ray ends the tasks of a sweep that died; what started this process is Ray's own.
    """
    from nexus_engine.sweeps.cell import run_cell

    return run_cell(Path(sweep), cell, threads, os.getppid())
