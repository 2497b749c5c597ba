"""Hyperband: random points, with asynchronous successive halving among them.

The halving is a stop rule (`stop_rules/asha.py`), which the spec turns on with this strategy: a job
goes on past each rung only while it is among the best third there, up to `max_resource` epochs. New
points do not depend on earlier results, as in SageMaker (Li et al. 2020, "A System for Massively
Parallel Hyperparameter Tuning").
"""

from __future__ import annotations

from hpt_cli.strategies.random import suggest

__all__ = ["suggest"]
