"""Conversion to and from SageMaker: the request that creates a tuning job, and its description.

Fields of the API (2017-07-24) correspond to fields of a spec. What one side cannot express is
listed, never dropped silently.
"""

from __future__ import annotations

from hpt_cli.sagemaker.describe import describe_tuning_job
from hpt_cli.sagemaker.export_request import Exported, export_request
from hpt_cli.sagemaker.import_request import Imported, import_request

__all__ = ["Exported", "Imported", "describe_tuning_job", "export_request", "import_request"]
