"""To and from SageMaker: CreateHyperParameterTuningJob's request, and Describe's answer.

Fields of the API (2017-07-24) and of a spec mean the same under other names. What one side cannot
say is listed, never dropped in silence.
"""

from __future__ import annotations

from hpt_cli.core.sagemaker.describing import describe_tuning_job
from hpt_cli.core.sagemaker.exporting import Exported, export_request
from hpt_cli.core.sagemaker.importing import Imported, import_request

__all__ = ["Exported", "Imported", "describe_tuning_job", "export_request", "import_request"]
