"""Names that SageMaker's API gives."""

from __future__ import annotations

CONFIG = "HyperParameterTuningJobConfig"
NAME = "HyperParameterTuningJobName"
PROGRAM = "sagemaker_program"
"""The static hyperparameter that names the script, in script mode."""
CHANNEL = "SM_CHANNEL_"
"""The variable with a channel's directory is named so, and by the channel."""
