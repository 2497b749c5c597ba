"""Mistakes in a spec that show only between its fields.

They are looked for in raw data, so that they are reported together with the mistakes in the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpt_cli.spec.cross_field import command, constraints, execution, metrics, repeats, search
from hpt_cli.spec.cross_field.conflict import Conflict


def find_conflicts(raw: Mapping[str, Any]) -> list[Conflict]:
    """Return every mistake that shows only between fields, in data that may have others.

    `raw` holds the fields of a TuningSpec as plain values, not necessarily valid.
    """
    return [
        *command.find_text_conflicts(raw, ()),
        *search.find_range_conflicts(raw),
        *metrics.find_metric_conflicts(raw),
        *metrics.find_form_conflicts(raw),
        *command.find_command_conflicts(raw),
        *command.find_quoting_conflicts(raw),
        *search.find_stop_rule_conflicts(raw),
        *search.find_pausing_conflicts(raw),
        *search.find_condition_conflicts(raw),
        *search.find_strategy_conflicts(raw),
        *search.find_initial_conflicts(raw),
        *constraints.find_constraint_conflicts(raw),
        *constraints.find_metric_constraint_conflicts(raw),
        *search.find_prior_conflicts(raw),
        *repeats.find_repeat_conflicts(raw),
        *metrics.find_log_rule_conflicts(raw),
        *command.find_environment_conflicts(raw),
        *execution.find_slurm_conflicts(raw),
        *execution.find_resource_conflicts(raw),
        *execution.find_success_conflicts(raw),
    ]


def find_file_conflicts(raw: Mapping[str, Any]) -> list[Conflict]:
    """Return mistakes that only a file is refused for: tuning jobs that have them have begun."""
    return [
        *command.find_misspelt_conflicts(raw),
        *command.find_absence_conflicts(raw),
        *search.find_contradictions(raw),
    ]
