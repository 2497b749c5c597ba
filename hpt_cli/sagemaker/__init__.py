"""To and from SageMaker: CreateHyperParameterTuningJob's request, and Describe's answer.

Fields of the API (2017-07-24) and of a spec mean the same under other names. What one side cannot
say is listed, never dropped in silence.
"""

from __future__ import annotations

from hpt_cli.sagemaker.describe import describe_tuning_job
from hpt_cli.sagemaker.export_request import Exported, export_request
from hpt_cli.sagemaker.import_request import Imported, import_request

__all__ = ["Exported", "Imported", "describe_tuning_job", "export_request", "import_request"]
