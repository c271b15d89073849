"""Runs the cells of a sweep as tasks of a Ray cluster (the optional extra `ray`).

Every node of the cluster must see the sweep's folder under the same path: a cell whose worker dies
resumes on another node from its checkpoint there. Ray opens sockets between the cluster's
processes; nothing else in NEXUS does while it trains.
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

FORWARDED_VARIABLES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")


def require_ray() -> None:
    """Check that Ray is installed.

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
        # Set before the import, so that Ray sends no usage report and does not ask about it.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self._ray: Any = ray
        self._sweep = sweep
        self._owned = not ray.is_initialized()
        local = address == "local"
        root = str(Path(__file__).parents[2])
        path = os.environ.get("PYTHONPATH")
        variables = {name: os.environ[name] for name in FORWARDED_VARIABLES if name in os.environ}
        variables["PYTHONPATH"] = f"{root}{os.pathsep}{path}" if path else root
        if self._owned:
            # Otherwise Ray starts its workers by `uv run` when this process was started by uv.
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
        # The sweep retries by itself: it counts and reports the attempts.
        self._task = ray.remote(num_cpus=self._threads, max_retries=0, max_calls=1)(_run_in_worker)

    def start(self, cell: str) -> None:
        """See `Workers`."""
        self._live[self._task.remote(str(self._sweep), cell, self._threads)] = cell

    def ended(self) -> list[Ended]:
        """See `Workers`."""
        if not self._live:
            return []
        done, _ = self._ray.wait(list(self._live), num_returns=len(self._live), timeout=0)
        ended = []
        for handle in done:
            cell = self._live.pop(handle)
            try:
                ended.append(Ended(cell, int(self._ray.get(handle)), ""))
            except self._ray.exceptions.RayTaskError as error:
                kind = type(getattr(error, "cause", error)).__name__
                ended.append(Ended(cell, 1, f"internal error: {kind} in a Ray task"))
            except self._ray.exceptions.RayError as error:
                kind = type(error).__name__
                ended.append(Ended(cell, None, f"its Ray worker was lost ({kind})"))
        return ended

    def stop(self) -> None:
        """Interrupt every task as Ctrl-C does: each saves and ends."""
        for handle in self._live:
            self._ray.cancel(handle, force=False)

    def close(self) -> None:
        """End the tasks, and the cluster too if it was started here."""
        for handle in self._live:
            self._ray.cancel(handle, force=True)
        self._live.clear()
        if self._owned:
            self._ray.shutdown()


def _run_in_worker(sweep: str, cell: str, threads: int) -> int:
    """Run a cell in a Ray worker; return its exit code.

    The parent to watch is Ray's own process: Ray itself ends the tasks of a sweep that died.
    """
    from nexus_engine.sweeps.cell import run_cell

    return run_cell(Path(sweep), cell, threads, os.getppid())
