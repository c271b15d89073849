"""`nexus sweep`: trains a grid of runs, many at a time; resumable."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus_engine.config import Tune
from nexus_engine.errors import ExitCode
from nexus_engine.system.user_paths import user_path
from nexus_tui.cli.commands.train_options import setting_option
from nexus_tui.terminal.failures import UsageError, close_output, error_line

if TYPE_CHECKING:
    from nexus_engine.sweeps.folder import SweepFolder
    from nexus_engine.sweeps.grid import Grid
    from nexus_engine.sweeps.workers import Workers

__all__ = ["sweep"]


def sweep(
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid", help="The axes of the grid as TOML; see docs/sweeps.md.", metavar="FILE.toml"
        ),
    ] = None,
    data: Annotated[
        str | None,
        setting_option("data", "demo, stsb, or a file or folder of pairs or questions."),
    ] = None,
    tune: Annotated[
        Tune | None,
        setting_option("tune"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="The seeds, such as 1-5 or 1,4,7.", metavar="SEEDS"),
    ] = None,
    epochs: Annotated[int | None, setting_option("epochs", "Epochs of every run.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            help="Runs at a time. Default: as many as cores and memory allow.",
            metavar="N",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", help="Run on a Ray cluster; local starts one here.", metavar="ADDRESS|local"
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", help="The settings of every run as TOML.", metavar="FILE.toml"),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="The sweep folder to create.", metavar="DIR")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume", help="Resume a sweep, by name or folder, or latest.", metavar="SWEEP"
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print events as JSON lines on stdout.")
    ] = False,
) -> None:
    """Train every combination of a grid of settings, and show which is best.

    Without --grid it trains the twelve combinations that suit --tune (for full, the published ones:
    learning rate 1e-5, 2e-5, 5e-5, batch 16, 32, warm-up 2, 4). --resume continues a stopped sweep
    and does not repeat finished runs.
    """
    if jobs is not None and jobs < 1:
        raise UsageError("--jobs: give 1 or more")
    if ray is not None:
        from nexus_engine.sweeps.ray_cluster import require_ray

        require_ray()  # before a folder is made
    if resume is not None:
        excluded: dict[str, object] = {
            "--grid": grid,
            "--data": data,
            "--tune": tune,
            "--seeds": seeds,
            "--epochs": epochs,
            "--config": config,
            "--out": out,
        }
        surplus = [name for name, value in excluded.items() if value is not None]
        if surplus:
            raise UsageError(f"--resume uses the sweep's own grid; leave out {', '.join(surplus)}")
        from nexus_engine.sweeps.folder import find_sweep

        folder = find_sweep(resume)
    else:
        settings = {"data": data, "tune": tune, "epochs": epochs}
        options = {name: value for name, value in settings.items() if value is not None}
        checked_grid = _grid(grid, seeds, options, config)
        from nexus_engine.sweeps.folder import SweepFolder

        common = checked_grid.common
        label = f"{Path(common.get('data', 'demo')).stem}-{common.get('tune', 'dendrites')}"
        folder = SweepFolder.create(None if out is None else Path(out), label, checked_grid)
    with contextlib.suppress(BrokenPipeError):
        raise typer.Exit(_follow(folder, _workers(folder, jobs, ray), as_json=json))
    close_output()
    raise typer.Exit(int(ExitCode.FAILED))


def _grid(
    file: str | None, seeds: str | None, options: dict[str, Any], config_file: str | None
) -> Grid:
    """The grid of the command line, checked."""
    import msgspec

    from nexus_engine.config import TrainConfig
    from nexus_engine.sweeps.grid import default_grid, grid_from_file, parse_seeds
    from nexus_tui.settings.training import asked_config

    numbers = None if seeds is None else parse_seeds(seeds)
    config = asked_config(options, config_file)
    default = TrainConfig()
    common = {
        name: value
        for name, value in msgspec.to_builtins(config).items()
        if name != "seed" and value != getattr(default, name)
    }
    if file is None:
        grid = default_grid(common, numbers or (1,))
    else:
        grid = grid_from_file(user_path(file), common, numbers)
    grid.check()
    return grid


def _workers(folder: SweepFolder, jobs: int | None, ray: str | None) -> Workers:
    if ray is not None:
        from nexus_engine.sweeps.ray_cluster import RayCluster

        return RayCluster(folder.path, ray, jobs)
    from nexus_engine.sweeps.processes import Processes, default_jobs

    if jobs is None:
        jobs = default_jobs(folder.record().grid.size)
    return Processes(folder.path, jobs)


def _follow(folder: SweepFolder, workers: Workers, *, as_json: bool) -> int:
    """Run the sweep to its end and show it; the exit code."""
    from nexus_engine.sweeps.events import (
        SweepFailed,
        SweepFinished,
        SweepStopped,
        encode_sweep_event,
    )
    from nexus_engine.sweeps.loop import sweep as run_sweep
    from nexus_engine.training.steering import Steering
    from nexus_tui.cli.sweep_progress import SweepProgress, result_table
    from nexus_tui.terminal import streams
    from nexus_tui.terminal.signals import steered_by_signals

    steering = Steering()
    code = int(ExitCode.FAILED)
    with steered_by_signals(steering), SweepProgress() as progress:
        for event in run_sweep(folder, workers, steering):
            progress.show(event)
            if as_json:
                streams.put_line(encode_sweep_event(event))
            match event:
                case SweepFinished():
                    code = int(ExitCode.FAILED if event.runs_failed else ExitCode.OK)
                case SweepStopped() | SweepFailed():
                    code = event.exit_code
    match event:
        case SweepFinished() if not as_json:
            streams.put(*result_table(folder, event))
        case SweepFailed():
            error_line(event.message)
    return code
