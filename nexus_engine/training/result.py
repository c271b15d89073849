"""The result of a run, from its finished arms and the base model's judgement on test."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from nexus_engine.events import RunFinished
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import ControlResult, VectorScore
from nexus_engine.scoring.evaluation import Judged
from nexus_engine.scoring.judging import Judge, QuestionJudge
from nexus_engine.scoring.ranking import bootstrap_mean, bootstrap_mean_gain
from nexus_engine.scoring.small_vectors import SmallVectors
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.hardware import peak_rss_mb
from nexus_engine.training.preparation import Prepared
from nexus_engine.training.saving import ArmResult, Finished, RunSaver

__all__ = ["result_of", "sizes_of"]


def sizes_of(
    prepared: Prepared, judge: Judge | None, check: Callable[[], None]
) -> tuple[SmallVectors, ...]:
    """How the vectors of the last judgement, on test, do in the sizes of `--dims`."""
    dims = prepared.main.settings.dims
    if dims is None or not isinstance(judge, QuestionJudge):
        return ()
    return tuple(judge.sizes("test", dims, check))


def result_of(
    folder: RunFolder,
    prepared: Prepared,
    saver: RunSaver,
    arms: Sequence[ArmSpec],
    base_test: Judged,
    base_judge: Judge | None,
) -> RunFinished:
    """The result; `base_judge` has judged the base model on test last."""
    baseline, finished = prepared.baseline, saver.finished
    main = finished[0].result
    controls = tuple(
        _control_result(prepared, spec, control, finished[0])
        for spec, control in zip(arms[1:], finished[1:], strict=True)
    )
    best_control = max(controls, key=lambda c: c.dev_score, default=None)
    base_sizes = sizes_of(prepared, base_judge, lambda: None)
    return RunFinished(
        time_unix_s=time.time(),
        run_dir=str(folder.path),
        best_epoch=main.best.epoch,
        guard_spearman=main.best.guard_spearman,
        guard_scored_spearman=main.best.guard_scored_spearman,
        base_guard_scored_spearman=baseline.guard_scores.scored,
        guard_apart_spearman=main.best.apart_spearman,
        base_guard_apart_spearman=baseline.guard_scores.apart,
        switches=main.switches,
        switches_kept=main.kept,
        switch_records=main.records,
        params_base=prepared.params_base,
        params_trained=main.params_trained,
        params_added=main.params_added,
        epochs=main.epochs,
        train_seconds=main.train_seconds,
        total_seconds=saver.total_seconds,
        pairs_per_second=main.pairs / max(main.step_seconds, 1e-9),
        peak_rss_mb=peak_rss_mb(),
        controls=controls,
        vector_scores=_vector_scores(main, base_sizes),
        **_scores(prepared, finished[0], base_test, best_control),
    )


def _vector_scores(main: ArmResult, base: tuple[SmallVectors, ...]) -> tuple[VectorScore, ...]:
    """The sizes of the best weights' vectors beside the base model's."""
    return tuple(
        VectorScore(
            numbers=ours.numbers,
            dtype=ours.format,
            bytes_each=ours.bytes_per_passage,
            ndcg_at_10=ours.ndcg_at_10,
            base_ndcg_at_10=theirs.ndcg_at_10,
        )
        for ours, theirs in zip(main.sizes, base, strict=True)
    )


def _scores(
    prepared: Prepared, finished: Finished, base_test: Judged, control: ControlResult | None
) -> dict[str, Any]:
    """The fields of the result that hold scores, by the name of the metric."""
    metric, baseline = prepared.metric, prepared.baseline
    main, _, test_values = finished
    scores: dict[str, Any] = {
        "metric": metric,
        f"base_dev_{metric}": baseline.dev.score,
        f"base_test_{metric}": base_test.score,
        f"best_dev_{metric}": main.best.score,
        f"test_{metric}": main.test,
        **{f"test_{name}": value for name, value in main.test_details.items()},
    }
    if control is not None:
        scores[f"control_dev_{metric}"] = control.dev_score
        scores[f"control_test_{metric}"] = control.test_score
    if metric == "spearman":
        scores["best_dev_pearson"] = main.best.details["pearson"]
        return scores
    for name, value in base_test.details.items():
        scores[f"base_test_{name}"] = value
    if len(test_values):
        interval = bootstrap_mean(test_values)
        gain = bootstrap_mean_gain(test_values, base_test.values)
        scores |= {"test_low": interval.low, "test_high": interval.high}
        scores |= {"gain_test_low": gain.low, "gain_test_high": gain.high}
    return scores


def _control_result(
    prepared: Prepared, spec: ArmSpec, control: Finished, main: Finished
) -> ControlResult:
    """A control's result, with the main arm's dev gain over it and the gain's interval."""
    metric = prepared.metric
    gain = prepared.judge.gain(main.dev_values, control.dev_values)
    return ControlResult(
        name=spec.name.removeprefix("control:"),
        description=spec.description,
        params_trained=control.result.params_trained,
        guard_spearman=control.result.best.guard_spearman,
        best_epoch=control.result.best.epoch,
        gain_low=gain.low,
        gain_high=gain.high,
        **{
            f"dev_{metric}": control.result.best.score,
            f"test_{metric}": control.result.test,
            f"gain_dev_{metric}": gain.value,
        },
    )
