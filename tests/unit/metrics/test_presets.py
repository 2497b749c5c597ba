"""Presets against what the programs print: real runs, and lines from their sources and users."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpt_cli.metrics.detection import detect_metrics
from hpt_cli.metrics.extractors import compile_definition, to_regex
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.presets import PRESETS
from hpt_cli.metrics.reader import MetricReader

SAMPLES = Path(__file__).parent / "samples"
"""What scripts/docs/refresh_samples.py kept."""

ROUNDED = {"spacy": 5.1e-3}
"""How far a program rounds what it prints, where that is more than half of the fourth digit."""

SAMPLE_NAMES = sorted(path.stem for path in SAMPLES.glob("*.log"))

BAR = "\r\x1b[1m3/3\x1b[0m \x1b[32m━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m1s\x1b[0m 8ms/step"
KERAS_1 = f"{BAR} - accuracy: 0.9 - loss: 9.1234e-04 - val_accuracy: 0.8812 - val_loss: 9.8765e-04"
KERAS_2 = (
    "1875/1875 - 3s - 2ms/step - accuracy: 0.8575 - loss: 0.4827 - val_accuracy: 0.9450"
    " - val_loss: 0.1723"
)
FASTAI = (
    "epoch     train_loss  valid_loss  accuracy  time    \n"
    "0         0.512345    0.412345    0.881234  00:12     "
)
YOLO = (
    "      3/100      4.51G      1.042      0.812      1.101        215        640: 100%|█| 8/8\n"
    "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 9%\n"
    "                   all        128        929       0.64      0.537      0.605      0.446"
)
FAIRSEQ = "2020-06-01 12:00:00 | INFO | valid | epoch 081 | valid on 'valid' subset |"
MMENGINE = (
    "2024/12/22 05:31:22 - mmengine - INFO - Epoch(val)  [5][5000/5000]    accuracy/top1: 75.2"
)
SB3 = "| rollout/           |          |\n|    ep_rew_mean     | -121     |"

LINES = [
    ("xgboost", "validation-auc", "[10]\ttrain-auc:0.93215\tvalidation-auc:0.91004", 10, 0.91004),
    ("xgboost", "validation-auc", "[10]#011train-auc:0.9#011validation-auc:1e-05", 10, 1e-5),
    ("cleanrl", "episodic_return", "global_step=211, episodic_return=[20.]", 211, 20),
    ("cleanrl", "episodic_return", "global_step=99, episodic_return=-1.5", 99, -1.5),
    (
        "flax",
        "eval_accuracy",
        "I0307 18:39:00.4 1395 logging_writer.py:48] [500] eval_accuracy=0.91, eval_loss=0.08",
        500,
        0.91,
    ),
    (
        "espnet",
        "acc",
        "[host] 2022-01-01 00:00:00 (trainer:338) INFO: 3epoch results: [train] loss_ctc=9.5,"
        " acc=0.7, loss=8.1, train_time=1.2, [valid] loss_ctc=9.1, acc=0.8, wer=0.2, loss=7.7",
        3,
        0.8,
    ),
    (
        "recbole",
        "ndcg@10",
        "01 Jan 00:00 INFO  epoch 7 evaluating [time: 0.12s, valid_score: 0.160000]\n"
        "recall@10 : 0.23    mrr@10 : 0.16    ndcg@10 : 0.15",
        7,
        0.15,
    ),
    ("autogluon", "validation_score", "\t0.8752\t = Validation score   (accuracy)", 1, 0.8752),
    (
        "detectron2",
        "AP",
        "[01/01 00:00:00 d2.evaluation.testing]: copypaste: 38.5,58.1,41.2",
        1,
        38.5,
    ),
    ("xgboost", "test-rmse", "[3]\ttrain-rmse:0.5+0.00123\ttest-rmse:0.61+0.002", 3, 0.61),
    (
        "lightgbm",
        "valid_0's binary_logloss",
        "[10]\tvalid_0's auc: 0.912345\tvalid_0's binary_logloss: 8.1e-05",
        10,
        8.1e-5,
    ),
    ("lightgbm", "valid_0's auc", "[10]\tvalid_0's auc: 0.912345\tvalid_0's l2: 8", 10, 0.912345),
    ("lightgbm-cli", "valid_1 auc", "[LightGBM] [Info] Iteration:7, valid_1 auc : 0.76", 7, 0.76),
    (
        "catboost",
        "test",
        "10:\tlearn: 0.4512\ttest: 0.4711\tbest: 0.4711 (10)\ttotal: 120ms\tremaining: 1.2s",
        10,
        0.4711,
    ),
    ("keras", "val_loss", KERAS_1, 1, 9.8765e-4),
    ("keras", "loss", f"Epoch 4/9\n{KERAS_1}", 4, 9.1234e-4),
    ("keras", "val_accuracy", f"Epoch 2/9\n{KERAS_2}", 2, 0.945),
    (
        "lightning",
        "val_loss",
        "\rEpoch 0: 100%|██████████| 10/10 [00:02<00:00, 4.9it/s, v_num=0, train_loss=0.412,"
        " val_loss=0.387]",
        0,
        0.387,
    ),
    (
        "huggingface",
        "eval_loss",
        "{'eval_loss': 0.353148, 'eval_accuracy': 0.91, 'eval_runtime': 1.2, 'epoch': 1.0}",
        1,
        0.353148,
    ),
    (
        "huggingface",
        "eval_accuracy",
        "{'eval_loss': '0.3531', 'eval_accuracy': '0.91', 'eval_runtime': '1.2', 'epoch': '1'}",
        1,
        0.91,
    ),
    ("fastai", "valid_loss", FASTAI, 0, 0.412345),
    ("fastai", "accuracy", FASTAI, 0, 0.881234),
    ("ultralytics", "mAP50", YOLO, 3, 0.605),
    ("ultralytics", "mAP50-95", YOLO, 3, 0.446),
    ("ultralytics", "precision", YOLO, 3, 0.64),
    (
        "pytorch-examples",
        "test_accuracy",
        "Train Epoch: 3 [0/60000 (0%)]\tLoss: 2.3\n\n"
        "Test set: Average loss: 0.0292, Accuracy: 9902/10000 (99%)",
        3,
        0.9902,
    ),
    ("pytorch-examples", "test_loss", "Test set: Average loss: 0.0292, Accuracy: 1/2", 1, 0.0292),
    ("torchvision", "Acc@1", "Test:  Acc@1 69.758 Acc@5 89.078", 1, 69.758),
    ("torchvision", "Acc@5", "Epoch: [4]  [10/20]\nTest:  Acc@1 69.758 Acc@5 89.078", 4, 89.078),
    ("timm", "Acc@1", " * Acc@1 75.290 (24.710) Acc@5 92.5 (7.5)", 1, 75.29),
    (
        "timm",
        "Acc@1",
        "Train: 2 [   0/10]\nTest: [  78/78]  Time: 0.213 (0.224)  Loss:   0.784 (1.234)"
        "  Acc@1:  80.500 ( 75.300)  Acc@5:  95.000 ( 92.500)",
        2,
        75.3,
    ),
    ("scikit-learn", "avg_loss", "-- Epoch 4\nNorm: 1.2, T: 9, Avg. loss: 39.1, Objec", 4, 39.1),
    ("scikit-learn", "inertia", "Iteration 3, inertia 1234.5.", 3, 1234.5),
    ("vowpal-wabbit", "average_loss", "average loss = 0.449534", 1, 0.449534),
    (
        "vowpal-wabbit",
        "progressive_loss",
        "0.666667 0.333333            4            4.0   1.0000   0.0000        6",
        4,
        0.666667,
    ),
    ("fairseq", "loss", f"{FAIRSEQ} loss 6.846 | ppl 24.41 | best_loss 6.84", 81, 6.846),
    ("fairseq", "ppl", f"{FAIRSEQ} loss 6.846 | ppl 24.41 | best_loss 6.84", 81, 24.41),
    ("mmengine", "accuracy/top1", f"{MMENGINE}  data_time: 0.0109  time: 0.01", 5, 75.2),
    (
        "detectron2",
        "total_loss",
        "[07/01 10:00:00 d2.utils.events]:  eta: 0:12:51  iter: 19  total_loss: 1.519  loss_cls: 4",
        19,
        1.519,
    ),
    (
        "megatron",
        "lm loss",
        " iteration      100/  500000 | consumed samples: 800 | lm loss: 9.142E+00 | loss scale: 1",
        100,
        9.142,
    ),
    (
        "megatron",
        "validation lm loss",
        " validation loss at iteration 1000 | lm loss value: 2.9E+00 | lm loss PPL: 1.8E+01 |",
        1000,
        2.9,
    ),
    ("nanogpt", "val loss", "step 500: train loss 1.5213, val loss 1.6042", 500, 1.6042),
    (
        "nnunet",
        "val_loss",
        "2024-05-01 10:00:00: Epoch 7\n2024-05-01 10:02: val_loss -0.42",
        7,
        -0.42,
    ),
    ("stable-baselines3", "ep_rew_mean", SB3, 1, -121),
    (
        "spacy",
        "SCORE",
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  SCORE\n"
        "  0     200         18.11    852.06    45.20    0.45",
        200,
        0.45,
    ),
    (
        "fasttext",
        "avg.loss",
        "\rProgress:  50.0% words/sec/thread:   10000 lr:  0.05 avg.loss:  1.234 ETA:   0h 0m 1s",
        50,
        1.234,
    ),
    (
        "sagemaker",
        "validation accuracy",
        "#quality_metric: host=algo-1, epoch=3, validation accuracy <score>=(0.93)",
        3,
        0.93,
    ),
]


def read_curve(preset: str, metric: str, log: bytes) -> dict[float, float]:
    fields = {"name": "it", "preset": preset, "metric": metric}
    reader = MetricReader([compile_definition(fields)])
    return {each.step: each.value for each in [*reader.feed(log), *reader.finish()]}


def find_preset(sample: str) -> str:
    return next(name for name in PRESETS if sample.startswith(name))


@pytest.mark.parametrize("sample", SAMPLE_NAMES)
def test_a_real_run_is_read_as_the_program_s_own_api_tells(sample: str) -> None:
    log = (SAMPLES / f"{sample}.log").read_bytes()
    for metric, curve in json.loads((SAMPLES / f"{sample}.json").read_text()).items():
        found = read_curve(find_preset(sample), metric, log)
        assert list(found) == [step for step, _ in curve], metric
        values = [value for _, value in curve]
        assert list(found.values()) == pytest.approx(values, abs=ROUNDED.get(sample, 5.1e-4))


@pytest.mark.parametrize("sample", SAMPLE_NAMES)
def test_a_real_run_is_recognized(sample: str) -> None:
    log = (SAMPLES / f"{sample}.log").read_bytes()
    truth = json.loads((SAMPLES / f"{sample}.json").read_text())
    proposals = detect_metrics(split_lines(log))
    found = {each.name: each for each in proposals if "preset" in each.definition}
    assert truth.keys() <= found.keys()
    assert {each.definition["preset"] for each in found.values()} == {find_preset(sample)}


def test_there_are_samples_of_the_programs_that_install_everywhere() -> None:
    assert {find_preset(sample) for sample in SAMPLE_NAMES} >= {
        *("xgboost", "lightgbm", "catboost", "keras", "scikit-learn", "vowpal-wabbit", "spacy"),
        *("fasttext", "lightning", "huggingface"),
    }


@pytest.mark.parametrize(("preset", "metric", "text", "step", "value"), LINES)
def test_a_line_is_read(preset: str, metric: str, text: str, step: float, value: float) -> None:
    assert read_curve(preset, metric, text.encode() + b"\n") == {step: value}


@pytest.mark.parametrize(("preset", "metric", "text", "step", "value"), LINES)
def test_a_line_is_recognized(
    preset: str, metric: str, text: str, step: float, value: float
) -> None:
    proposals = detect_metrics(split_lines(text.encode()))
    values = [dict(each.curve).get(step) for each in proposals]
    assert value in values, "whatever program it is taken for"


def test_every_preset_has_a_line_or_a_sample() -> None:
    assert {preset for preset, *_ in LINES} == set(PRESETS)


def test_steps_that_come_again_replace_their_values() -> None:
    rows = "                   all        128        929       0.64      0.537      {}      0.4\n"
    epoch = "      {}/2      4.51G      1.042\n"
    log = epoch.format(1) + rows.format(0.5) + epoch.format(2) + rows.format(0.6) + rows.format(0.7)
    assert read_curve("ultralytics", "mAP50", log.encode()) == {1: 0.5, 2: 0.7}
    bars = b"\rEpoch 1: 100%|#| 1/1 [val_loss=0.5]\rEpoch 1: 100%|#| 1/1 [val_loss=0.4]\n"
    assert read_curve("lightning", "val_loss", bars) == {1: 0.4}


def test_what_a_definition_amounts_to_as_a_regex() -> None:
    assert to_regex({"name": "a", "regex": "x"}) == "x"
    assert to_regex({"name": "a", "json": "b.c"}) == '"c": ?"?({num})'
    assert "validation\\-auc" in str(to_regex({"name": "validation-auc", "preset": "xgboost"}))
    assert to_regex({"name": "accuracy", "preset": "fastai"}) is None
    assert to_regex({"name": "a", "json": "b", "file": "x"}) is None
