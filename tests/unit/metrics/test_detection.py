"""From the lines of an unknown log to metric definitions."""

from __future__ import annotations

import pytest

from hpt_cli.metrics.detection import MAX_LINES, detect_metrics


def propose(log: str) -> dict[str, dict[str, str]]:
    return {each.name: dict(each.definition) for each in detect_metrics(log.split("\n"))}


def test_the_objective_comes_first_and_what_is_beside_it_last() -> None:
    log = "Epoch 1/9 lr: 0.1 loss: 0.5 val_loss: 0.4 val_acc: 0.8\n"
    names = list(propose(log + log.replace("1/9", "2/9").replace("0.8", "0.9")))
    assert names == ["val_acc", "val_loss", "loss", "lr"]


@pytest.mark.parametrize(
    ("log", "name", "fields", "curve"),
    [
        (
            "Epoch 1/9 - val loss: 0.4\nEpoch 2/9 - val loss: 0.3",
            "val_loss",
            {"regex": r"\bEpoch +{step}.*?\bval loss: *({num})"},
            ((1, 0.4), (2, 0.3)),
        ),
        (
            "epoch [ 9/10] dice: 0.4\nepoch [10/10] dice: 0.5",
            "dice",
            {"regex": r"\bepoch *\[ *{step}.*?\bdice: *({num})"},
            ((9, 0.4), (10, 0.5)),
        ),
        (
            "loss=0.5 (epoch 4)",
            "loss",
            {"regex": r"\bloss *= *({num}).*?\bepoch +{step}"},
            ((4, 0.5),),
        ),
        (
            "Epoch 5\nacc 0.7\nEpoch 6\nacc 0.8",
            "acc",
            {"regex": r"\bacc +({num})", "step": r"\bEpoch +{step}"},
            ((5, 0.7), (6, 0.8)),
        ),
        (
            "loss=1\nval_loss=2",
            "loss",
            {"regex": r"(?<![\w./-])loss *= *({num})"},
            ((1, 1),),
        ),
        (
            "epoch 1\n train: acc 50%\n valid: acc 48%\nepoch 2\n train: acc 60%\n valid: acc 49%",
            "valid_acc",
            {"regex": r"\bvalid:.*?\bacc +({num})", "step": r"\bepoch +{step}"},
            ((1, 48), (2, 49)),
        ),
        (
            "epoch 1 train: loss 0.5 valid: loss 0.4\nepoch 2 train: loss 0.3 valid: loss 0.2",
            "valid_loss",
            {"regex": r"\bepoch +{step}.*?\bvalid:.*?\bloss +({num})"},
            ((1, 0.4), (2, 0.2)),
        ),
        (
            "Train Epoch: 1 Loss: 0.5\nTest Epoch: 1 Loss: 0.4",
            "Test_Loss",
            {"regex": r"\bTest.*?\bEpoch: *{step}.*?\bLoss: *({num})"},
            ((1, 0.4),),
        ),
        (
            "Step 1,000 | loss 1,234.5\nStep 2,000 | loss 934.5",
            "loss",
            {"regex": r"\bStep +{step}.*?\bloss +({num})"},
            ((1000, 1234.5), (2000, 934.5)),
        ),
        (
            "Accuracy: 9902/10000",
            "Accuracy",
            {"regex": r"\bAccuracy: *({ratio})"},
            ((1, 0.9902),),
        ),
        (
            "Accuracy on the 100 test images: 97.5 %",
            "Accuracy_on_the_100_test_images",
            {"regex": r"\bAccuracy on the 100 test images: *({num})"},
            ((1, 97.5),),
        ),
        (
            "ep=2 | Val. Acc: 50%",
            "Val_Acc",
            {"regex": r"\bep= *{step}.*?\bVal\. Acc: *({num})"},
            ((2, 50),),
        ),
        (
            'x {"step": 7, "val": {"f1": "0.5"}}',
            "val.f1",
            {"json": "val.f1", "step": "step"},
            ((7, 0.5),),
        ),
        (
            "epoch,val_loss\n3,0.25\n",
            "val_loss",
            {"column": "val_loss", "step": "epoch"},
            ((3, 0.25),),
        ),
    ],
)
def test_a_way_to_print_a_metric_becomes_a_definition(
    log: str, name: str, fields: dict[str, str], curve: tuple[tuple[float, float], ...]
) -> None:
    proposal = next(each for each in detect_metrics(log.split("\n")) if each.name == name)
    assert dict(proposal.definition) == {"name": name} | fields
    assert proposal.curve == curve


@pytest.mark.parametrize(
    ("log", "names"),
    [
        ("train: loss 1\nvalid: loss 2\ntrain: loss 3\nvalid: loss 4", "valid_loss train_loss"),
        ("loss=1 size=3\nloss=1 size=4", "loss size"),
        ("\n".join(f"val_acc=0.5 loss={value}" for value in "321"), "loss val_acc"),
        ("val_acc=0,91 loss=2\nval_acc=1,01 loss=1", "loss val_acc"),
    ],
)
def test_what_is_held_out_and_changes_is_likelier_the_objective(log: str, names: str) -> None:
    assert " ".join(propose(log)) == names


def test_a_preset_keeps_others_from_its_lines() -> None:
    log = "[0]\ttrain-auc:0.93\tvalidation-auc:0.91\n[1]\ttrain-auc:0.94\tvalidation-auc:0.92"
    assert propose(log) == {
        "validation-auc": {"name": "validation-auc", "preset": "xgboost"},
        "train-auc": {"name": "train-auc", "preset": "xgboost"},
    }


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val_loss", "Minimize"),
        ("valid_0's binary_logloss", "Minimize"),
        ("mAP50-95", "Maximize"),
        ("testAccuracy", "Maximize"),
        ("x", "Maximize"),
    ],
)
def test_the_way_a_metric_is_better_is_guessed(name: str, direction: str) -> None:
    lines = [f'{{"{name}": {value}}}' for value in (1, 2.5, 3)]
    assert detect_metrics(lines)[0].objective_type == direction


def test_nothing_is_proposed_for_what_has_no_metric() -> None:
    log = "starting at 12:30:45\nversion 1.2.3\ntook 0.5s\n\nEpoch 1\nEpoch 2\n"
    assert propose(log) == {}


def test_what_is_printed_once_is_no_metric_beside_one() -> None:
    lines = ["Seed set to 0", "Trainable params: 4.8 K", "Modules in eval mode: 0", "val_acc: 0.9"]
    assert [each.name for each in detect_metrics(lines)] == ["val_acc"]
    assert not detect_metrics(lines[:3])


def test_a_long_log_is_looked_at_in_its_beginning_middle_and_end() -> None:
    lines = [f"loss={value / 7:.3f}" for value in range(2 * MAX_LINES)]
    lines[-5] = "val_acc: 0.5"
    found = {each.name: each for each in detect_metrics(lines)}
    curve = found["loss"].curve
    assert MAX_LINES - 1 <= len(curve) + 1 <= MAX_LINES
    assert curve[0][1] == 0
    assert curve[-1][1] == pytest.approx((2 * MAX_LINES - 1) / 7, abs=1e-3)
    assert "val_acc" in found
