"""Mistakes in a spec that show only between its fields.

They are looked for in raw data, so that they are reported together with the mistakes in the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpt_cli.spec.checks.command import (
    find_command_conflicts,
    find_environment_conflicts,
    find_quoting_conflicts,
    find_text_conflicts,
)
from hpt_cli.spec.checks.conflict import Conflict
from hpt_cli.spec.checks.execution import find_resource_conflicts, find_slurm_conflicts
from hpt_cli.spec.checks.metrics import (
    find_form_conflicts,
    find_log_rule_conflicts,
    find_metric_conflicts,
)
from hpt_cli.spec.checks.search import (
    find_condition_conflicts,
    find_initial_conflicts,
    find_range_conflicts,
    find_stop_rule_conflicts,
    find_strategy_conflicts,
)


def find_conflicts(raw: Mapping[str, Any]) -> list[Conflict]:
    """Return every mistake that shows only between fields, in data that may have others.

    `raw` holds the fields of a TuningSpec as plain values, not necessarily valid.
    """
    return [
        *find_text_conflicts(raw, ()),
        *find_range_conflicts(raw),
        *find_metric_conflicts(raw),
        *find_form_conflicts(raw),
        *find_command_conflicts(raw),
        *find_quoting_conflicts(raw),
        *find_stop_rule_conflicts(raw),
        *find_condition_conflicts(raw),
        *find_strategy_conflicts(raw),
        *find_initial_conflicts(raw),
        *find_log_rule_conflicts(raw),
        *find_environment_conflicts(raw),
        *find_slurm_conflicts(raw),
        *find_resource_conflicts(raw),
    ]
