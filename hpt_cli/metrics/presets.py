"""Presets: how to read the output of well-known programs, as a table of regexes.

With `preset: xgboost` a definition needs no regex of its own. To add a preset, add a row here, and
output of the program itself to tests/unit/metrics/samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NUM = r"[-+]?(?:\d|\.\d|nan|inf)"
"""The beginning of a number; enough to recognize one in `names`."""


@dataclass(frozen=True, slots=True)
class Names:
    """Regexes that find the names of metrics in a program's output."""

    line: str
    """A regex for lines that have names."""
    name: str
    """A regex whose group 1 is a name; all its matches in such a line count."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Regexes that read the output of one program."""

    program: str
    regex: str = ""
    """Finds any metric; `{metric}` stands for its name."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """The metrics that need a regex of their own."""
    step: str = ""
    """A regex for lines that hold the step of the lines after them."""
    names: Names | None = None
    column: bool = False
    """Whether it prints a table, in which metrics and `step` are columns."""
    objective: str = ""
    """The metric that its models are compared by, where its name does not show that."""

    def fill(self, metric: str) -> str:
        """Return the regex of a metric.

        Raises:
            KeyError: the program has no such metric.
        """
        if metric in self.metrics or not self.regex:
            return self.metrics[metric]
        return self.regex.replace("{metric}", re.escape(metric))


_YOLO_ROW = r"^\s*all\s+\d+\s+\d+\s+"
# The rows of a set held out end in `h`.
_WABBIT_ROW = r"\s+{step}\s+\d+\.\d\s+\S+\s+\S+\s+\d+(?:\s+h)?\s*$"
_TAB = r"(?:\s|#011)"

PRESETS: dict[str, Preset] = {
    "xgboost": Preset(
        "XGBoost",
        rf"\[{{step}}\]{_TAB}(?:.*{_TAB})?{{metric}}:({{num}})",
        # Named by the data set and the metric.
        names=Names(rf"\[\d+\]{_TAB}", rf"{_TAB}([^\s:#]+-[^\s:#]+):(?={_NUM})"),
    ),
    "lightgbm": Preset(
        "LightGBM",
        # Not behind a word, as in MXNet's `Batch [50]`.
        r"(?<![\w)\]] )(?<![\w)\]])\[{step}\]\t(?:.*\t)?{metric}: ({num})",
        names=Names(r"(?<![\w)\]] )(?<![\w)\]])\[\d+\]\t", rf"\t([^\t:]+): (?={_NUM})"),
    ),
    "lightgbm-cli": Preset(
        "LightGBM's command line",
        r"Iteration:{step}, {metric} : ({num})",
        names=Names(r"Iteration:\d+, ", rf"Iteration:\d+, (.+) : (?={_NUM})"),
    ),
    "catboost": Preset(
        "CatBoost",
        r"^{step}:\t(?:.*\t)?{metric}: ({num})",
        names=Names(
            r"^\d+:\t", rf"\t([^\t]+?): (?={_NUM}[-\d.e]*(?:\t|$))(?<!total: )(?<!remaining: )"
        ),
    ),
    "keras": Preset(
        "Keras",
        r"^\s*(?P<last>\d+)/(?P=last) .* - {metric}: (?P<value>{num})",
        step=r"^Epoch {step}/\d+",
        names=Names(r"^\s*(\d+)/\1 .* - ", rf" - ([^\s:]+): (?={_NUM})"),
    ),
    "lightning": Preset(
        "Lightning (progress bar of tqdm or rich)",
        r"^Epoch {step}(?:: 100%|/\d+ .* (?P<last>\d+)/(?P=last) ).*[ ,\[]{metric}(?:=|: )"
        r"(?P<value>{num})",
        names=Names(r"^Epoch \d+(?:: 100%|/\d+ )", rf"[ ,\[]([^\s,=\[:]+)(?:=|: )(?={_NUM})"),
    ),
    "huggingface": Preset(
        "Hugging Face Trainer",
        r"\{.*'{metric}': '?({num})'?.*'epoch': '?{step}",
        names=Names(r"\{'.*'epoch': ", rf"'([^']+)': (?='?{_NUM})"),
    ),
    "fastai": Preset(
        "fastai",
        step="epoch",
        column=True,
        names=Names(r"^epoch\s+train_loss\s+valid_loss\s", r"\s(\w\S*)"),
    ),
    "ultralytics": Preset(
        "Ultralytics YOLO",
        metrics={
            "precision": rf"{_YOLO_ROW}({{num}})\s",
            "recall": rf"{_YOLO_ROW}\S+\s+({{num}})\s",
            "mAP50": rf"{_YOLO_ROW}\S+\s+\S+\s+({{num}})\s",
            "mAP50-95": rf"{_YOLO_ROW}\S+\s+\S+\s+\S+\s+({{num}})(?:\s|$)",
            "top1_acc": r"^\s*all\s+({num})\s+{num}\s*$",
            "top5_acc": r"^\s*all\s+{num}\s+({num})\s*$",
        },
        step=r"^\s+{step}/\d+\s+[\d.]+[GM]\s",
    ),
    "pytorch-examples": Preset(
        "PyTorch's MNIST example",
        metrics={
            "test_loss": r"^Test set: Average loss: ({num})",
            "test_accuracy": r"^Test set: .*Accuracy: ({ratio})",
            "train_loss": r"^Train Epoch: {step} .*\bLoss: ({num})",
        },
        step=r"^Train Epoch: {step} ",
    ),
    "torchvision": Preset(
        "torchvision's references, PyTorch's ImageNet example",
        r"^(?:Test:| \*)\s(?:.*\s)?{metric} ({num})",
        step=r"^Epoch: \[{step}\]",
        names=Names(r"^(?:Test:| \*)\s+(?:Acc|Prec)@", rf"((?:Acc|Prec)@\d) (?={_NUM})"),
    ),
    "timm": Preset(
        "timm",
        r"^(?: \* (?:.* )?{metric} "
        r"|Test: \[\s*(?P<last>\d+)/(?P=last)\].*\b{metric}:\s+{num}\s+\(\s*)(?P<value>{num})",
        step=r"^Train: {step} \[",
        names=Names(
            r"^(?: \* Acc@|Test: \[\s*(\d+)/\1\])",
            rf"([A-Z][\w@]*)(?: |:\s+{_NUM}\S*\s+\(\s*)(?={_NUM})",
        ),
    ),
    "scikit-learn": Preset(
        "scikit-learn, with verbose",
        metrics={
            "loss": r"^Iteration {step}, loss = ({num})",
            "validation_score": r"^Validation score: ({num})",
            "avg_loss": r"\bAvg\. loss: ({num})",
            "train_loss": r"^\s+{step}\s+({num})\s+(?:{num}\s+)?[\d.]+[smh]\s*$",
            "hist_train_loss": r"^\[{step}/\d+\] \d+ tree.*\btrain loss: ({num})",
            "hist_val_loss": r"^\[{step}/\d+\] \d+ tree.*\bval loss: ({num})",
            "inertia": r"^Iteration {step}, inertia ({num})",
            "cv_score": r"^\[CV.*\bscore=({num})",
        },
        step=r"^(?:-- Epoch |Iteration ){step}\b",
    ),
    "vowpal-wabbit": Preset(
        "Vowpal Wabbit",
        metrics={
            "average_loss": r"^average loss = ({num})",
            "progressive_loss": rf"^({{num}})\s+{{num}}{_WABBIT_ROW}",
            "since_last": rf"^{{num}}\s+({{num}}){_WABBIT_ROW}",
        },
    ),
    "fairseq": Preset(
        "fairseq, on the validation set",
        r"\bepoch {step} \| valid on .*\| {metric} ({num})",
        names=Names(r"\bepoch \d+ \| valid on ", rf"\| ([a-z]\w*) (?={_NUM})"),
    ),
    "mmengine": Preset(
        "OpenMMLab's MMEngine, on the validation set",
        r"Epoch\(val\)\s+\[{step}\]\[\d+/\d+\].*\s{metric}: ({num})",
        names=Names(r"Epoch\(val\)\s+\[\d+\]\[\d+/\d+\]", rf"\s(\S+): (?={_NUM})"),
    ),
    "detectron2": Preset(
        "Detectron2",
        r"\biter: {step} .*\b{metric}: ({num})",
        metrics={"AP": r"\bcopypaste: ({num}),{num}"},
        names=Names(r"\beta: .*\biter: \d+ ", rf"\b([a-z]\w*): (?={_NUM})"),
    ),
    "megatron": Preset(
        "Megatron-LM",
        metrics={
            "lm loss": r"\biteration\s+{step}/.*\| lm loss: ({num})",
            "validation lm loss": r"\bloss at iteration {step} .*\| lm loss value: ({num})",
        },
    ),
    "nanogpt": Preset(
        "nanoGPT",
        r"^step {step}: .*\b{metric} ({num})",
        names=Names(r"^step \d+: train loss ", rf"\b(train loss|val loss) (?={_NUM})"),
    ),
    "nnunet": Preset(
        "nnU-Net",
        r"^\d{4}-\d\d-\d\d [\d:.]+: {metric}:? \[?({num})",
        step=r": Epoch {step}\s*$",
        objective="Pseudo dice",
        names=Names(
            r"^\d{4}-\d\d-\d\d [\d:.]+: (?:train_loss|val_loss|Pseudo dice) ",
            rf": (\w[\w ]*) \[?(?={_NUM})",
        ),
    ),
    "stable-baselines3": Preset(
        "Stable-Baselines3",
        r"^\|\s+{metric}\s+\|\s+({num})\s+\|",
        names=Names(r"^\|    \w+\s+\|", rf"^\|    (\w+)\s+\|\s+(?={_NUM})"),
    ),
    "spacy": Preset(
        "spaCy",
        metrics={"SCORE": r"^\s*\d+\s+{step}\s+(?:{num}\s+)+({num})\s*$"},
        names=Names(r"^E    #  .*\bSCORE\b", r"\b(SCORE)\b"),
    ),
    "cleanrl": Preset(
        "CleanRL",
        metrics={"episodic_return": r"\bglobal_step={step}, episodic_return=\[?({num})"},
    ),
    "flax": Preset(
        "Flax and other JAX examples (the log of clu.metric_writers)",
        r"\] \[{step}\] (?:.*, )?{metric}=({num})",
        names=Names(r"writer\.py:\d+\] \[\d+\] ", rf"(?:\] |, )([A-Za-z_][\w/.-]*)=(?={_NUM})"),
    ),
    "espnet": Preset(
        "ESPnet, on the validation set",
        r"\b{step}epoch results: .*\[valid\] (?:.*, )?{metric}=({num})",
        # Those behind the last `[valid]`; before it are those of training.
        names=Names(r"\b\d+epoch results: .*\[valid\] ", rf"(\w+)=(?={_NUM})(?!.*\[valid\])"),
    ),
    "recbole": Preset(
        "RecBole, on the validation set",
        r"(?:^|\s){metric} : ({num})",
        metrics={"valid_score": r"\bepoch {step} evaluating \[.*\bvalid_score: ({num})"},
        step=r"\bepoch {step} evaluating ",
        names=Names(r"(?:^|\s)[a-z]+@\d+ : ", rf"([a-z]+@\d+) : (?={_NUM})"),
        objective="valid_score",
    ),
    "autogluon": Preset(
        "AutoGluon",
        metrics={"validation_score": r"^\s*({num})\s+= Validation score"},
    ),
    "fasttext": Preset(
        "fastText",
        metrics={"avg.loss": r"^Progress:\s+{step}%.*\bavg\.loss:\s+({num})"},
    ),
    "sagemaker": Preset(
        "SageMaker's built-in algorithms",
        r"#quality_metric: .*\bepoch={step}, (?:.*, )?{metric} <[^>]*>=\(({num})\)",
        names=Names(r"#quality_metric: ", rf", ([^,=]+) <[^>]*>=\((?={_NUM})"),
    ),
}
