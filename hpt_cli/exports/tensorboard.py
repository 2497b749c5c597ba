"""TensorBoard: a run for each training job, with its curves and hyperparameters (HPARAMS tab)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hpt_cli.errors import HptError
from hpt_cli.exports import Results, import_extra
from hpt_cli.exports.names import TENSORBOARD_REFUSES, fit_names
from hpt_cli.tuning.summary import Row

SUFFIX = ".hpt"
"""The suffix of files that are written here, by which the next export finds and replaces them."""


def export_runs(results: Results, directory: Path) -> int:
    """Write `directory/<training job>/` for each training job; return how many.

    Raises:
        HptError: tensorboardX is not installed, or the directory cannot be written.
    """
    tensorboard = import_extra("tensorboardX", "tensorboard")
    summaries = import_extra("tensorboardX.summary", "tensorboard")
    try:
        for row in results.summary.rows:
            _write_run(tensorboard, summaries, results, row, directory / row.name)
    except OSError as error:
        raise HptError.of(
            "file-write", f"{directory} cannot be written: {error.strerror}"
        ) from error
    return len(results.summary.rows)


def _write_run(
    tensorboard: Any, summaries: Any, results: Results, row: Row, directory: Path
) -> None:
    for old in directory.glob(f"*{SUFFIX}"):
        old.unlink()
    with tensorboard.SummaryWriter(str(directory), filename_suffix=SUFFIX) as writer:
        finals = {}
        # It would make them fit itself, without a look at those that become the same.
        tags = fit_names(results.name_metrics(), TENSORBOARD_REFUSES)
        for metric in results.list_metrics(row):
            for step, value, at in results.list_curve(row, metric):
                writer.add_scalar(tags[metric], value, int(step), walltime=at, display_name=metric)
                finals[tags[metric]] = value
        if row.so_far is not None:
            finals[tags[results.summary.objective.metric]] = row.so_far
        compared = {name: value for name, value in finals.items() if math.isfinite(value)}
        hyperparameters = results.list_hyperparameters(row)
        for each in summaries.hparams(hyperparameters, compared):
            writer.file_writer.add_summary(each)
