"""Which metric of a stranger's log is proposed first: one log for each kind of format."""

from __future__ import annotations

import pytest

from hpt_cli.metrics.detection import detect_metrics
from hpt_cli.metrics.lines import split_lines


def repeat(text: str, *rows: tuple[object, ...]) -> str:
    """Return a text once for each row, with its values filled in for $1, $2 ..."""
    filled = []
    for row in rows:
        part = text
        for place, value in enumerate(row, 1):
            part = part.replace(f"${place}", str(value))
        filled.append(part)
    return "\n".join(filled)


LOGS = [
    pytest.param(
        repeat("Val: [  0/10] top1: $1 (55.00)\n * top1 $2", ("40.0", "55.1"), ("50.5", "60.2")),
        (60.2, 2),
        "Maximize",
        id="a summary beside its batches",
    ),
    pytest.param(
        repeat(" mean class iou (mIoU@0.50) = $1, or $2 %", (0.51, 51), (0.62, 62), (0.66, 66)),
        (0.66, 3),
        "Maximize",
        id="name in brackets",
    ),
    pytest.param(
        repeat(
            "[12:00:0$1] Ep. $1 : Cost $2 : 9 words/s\n[12:01:0$1] [dev] Ep. $1 : chrf bleu : $3",
            (1, "5.5", "10.1"),
            (2, "4.4", "20.2"),
        ),
        (20.2, 2),
        "Maximize",
        id="a blank before the colon",
    ),
    pytest.param(
        repeat(
            "------\n|  Epoch |   $1 |\n|  MeanReturn |  $2 |\n| StdRet | 3 |\n| LossQ | $3 |",
            (0, 20, 9.5),
            (1, 31, 8.5),
            (2, 45, 7.5),
        ),
        (45, 3),
        "Maximize",
        id="a table of keys and values",
    ),
    pytest.param(
        repeat(
            "AR @[ IoU=0.50:0.95 | dets=1 ] = 0.9\nAP @[ IoU=0.50:0.95 | dets=100 ] = $1",
            ("0.101",),
            ("0.202",),
        ),
        (0.202, 2),
        "Maximize",
        id="numbers within a name",
    ),
    pytest.param("N\t300\nP@1\t0.61\nR@1\t0.31", (0.61, 1), "Maximize", id="a tab alone"),
    pytest.param(
        repeat("Epoch: 00$1, Loss: $2, Train: $3, Val: $4, Test: $5", (1, 1.5, 0.5, 0.4, 0.45)),
        (0.4, 1),
        "Maximize",
        id="scores named by their data set",
    ),
    pytest.param(
        repeat("Epoch: $1 | Vali Loss: $2 Test Loss: $3", (1, 0.9, 0.8), (2, 0.7, 0.65)),
        (0.7, 2),
        "Minimize",
        id="validation before test",
    ),
    pytest.param(
        "Train Loss\tValid Acc.\t\n1.5\t40.5\t\n1.2\t50.5\t\n",
        (50.5, 2),
        "Maximize",
        id="blanks within the names of columns",
    ),
    pytest.param(
        repeat("第$1轮 训练损失: $2 验证准确率: $3", (1, 0.9, 0.5), (2, 0.7, 0.6)),
        (0.6, 2),
        "Maximize",
        id="names that are not ASCII",
    ),
    pytest.param(
        repeat(
            "┃ Test metric ┃ DataLoader 0 ┃ DataLoader 1 ┃\n"
            "│ test_acc │ $1 │ 0.9 │\n│ test_loss │ 0.3 │ 0.2 │",
            ("0.81",),
            ("0.84",),
        ),
        (0.84, 2),
        "Maximize",
        id="a table on its side",
    ),
    pytest.param(
        repeat("10%|██| 10/99 [00:01<00:10, 8.1it/s, loss=$1]\nstep $2: FID: $3", (2, 5, 90.5)),
        (90.5, 1),
        "Minimize",
        id="a score beside a progress bar",
    ),
    pytest.param(
        repeat("Metric val_loss improved by $1 >= 0.0. New best score: $2", (0.2, 0.9), (0.1, 0.8)),
        (0.8, 2),
        "Minimize",
        id="an improvement is no metric",
    ),
    pytest.param(
        repeat("| mean 50 episode reward | $1 |\n| steps | $2 |", (10, 100), (20, 200), (25, 300)),
        (25, 3),
        "Maximize",
        id="a number within a name",
    ),
    pytest.param(
        repeat(
            "[I log.cpp:77] x\nEpoch $1 : $2 C.E. Loss, $3% Accuracy", (1, 1.5, 60), (2, 1.1, 70)
        ),
        (70, 2),
        "Maximize",
        id="values before their names",
    ),
    pytest.param(
        repeat('{"epoch": $1, "w": "' + "x" * 3000 + '", "test_error": $2}', (1, 9.5), (2, 8.5)),
        (8.5, 2),
        "Minimize",
        id="long lines of JSON",
    ),
    pytest.param(
        repeat(
            "Step $1, {'train/loss': 9.9, 'val/map': np.float64($2), 'x': None}", (1, 0.1), (2, 0.3)
        ),
        (0.3, 2),
        "Maximize",
        id="a Python dict",
    ),
    pytest.param(
        repeat(
            "- Valid | Epoch $1 | 1/2 | Loss 0.9\n- Valid | Epoch $1 | 2/2 | Loss 0.8\n"
            "- Valid Summary | Epoch $1 | Loss=$2",
            (1, 0.85),
            (2, 0.75),
        ),
        (0.75, 2),
        "Minimize",
        id="the summary of an epoch",
    ),
    pytest.param(
        repeat(
            "- Train metrics: acc: $1 ; loss: 1\n- Eval metrics : acc: $2 ; loss: 2", (0.9, 0.7)
        ),
        (0.7, 1),
        "Maximize",
        id="one name for two sets",
    ),
    pytest.param(
        repeat(
            "s:$1 tel:$2\ns:$1 trl:$3 lr:0.1 norm:0.3", (0, 9.1, 9.5), (50, 8.1, 8.5), (99, 7, 7.5)
        ),
        (7, 3),
        "Minimize",
        id="a counter is no metric",
    ),
    pytest.param(
        "Writing example 0 of 99\nWriting example 50 of 99\n"
        "eval_accuracy = 0.81, loss = 0.4\n  eval_accuracy = 0.81\n  loss = 0.4",
        (0.81, 2),
        "Maximize",
        id="a result printed twice",
    ),
    pytest.param(
        "Model ready\nParameters: 1234\nLoss:  3.5\nLoss:  2.5",
        (2.5, 2),
        "Minimize",
        id="two words over two cells are no table",
    ),
    pytest.param(
        "device 0: GeForce GTX 1080, 8119 MB\nbatch loss:3.5\nbatch loss:2.5",
        (2.5, 2),
        "Minimize",
        id="a GPU is no metric",
    ),
    pytest.param(
        repeat(
            "Epoch[$1] Batch [9]\tSpeed: 99.1 samples/sec\tTrain-acc=$2\nEpoch[$1] Val-acc=$3",
            (1, 2, 3),
        ),
        (3, 1),
        "Maximize",
        id="no LightGBM",
    ),
    pytest.param(
        repeat("DEV : loss $1 - f1-score (micro avg)  $2", (0.5, 0.6), (0.4, 0.7)),
        (0.7, 2),
        "Maximize",
        id="brackets within a name",
    ),
    pytest.param(
        repeat("global_step=$1, episodic_return=[$2.]", (10, 21), (20, 35)),
        (35, 2),
        "Maximize",
        id="a number in brackets",
    ),
    pytest.param(
        "│ combined │ loss │ accuracy │\n│ train │ 0.5 │ 0.8 │\n│ validation │ 0.6 │ 0.75 │",
        (0.75, 1),
        "Maximize",
        id="a row for each data set",
    ),
    pytest.param(
        repeat("Epoch(val) [$1][99]\tbbox_mAP: $2, bbox_mAP_50: 0.9", (1, 0.3), (2, 0.4)),
        (0.4, 2),
        "Maximize",
        id="capitals within a word",
    ),
    pytest.param(
        repeat(
            " Accuracy: $1%, Avg loss: $2 \nloss: 2.1  [  0/600]\nloss: 1.9  [ 64/600]",
            (50, 2),
            (60, 1),
        ),
        (60, 2),
        "Maximize",
        id="a name that ends like another",
    ),
    pytest.param(
        repeat(
            "Start fold\nepoch 1 cost 0.9\nepoch 2 cost $1\nScores on the held-out test set\n"
            "RMSE: $2",
            (0.8, 0.31),
        ),
        (0.31, 1),
        "Minimize",
        id="a heading names the data set of the lines below it",
    ),
    pytest.param(
        repeat("Ran the model\nDev accuracy:\n$1", (0.71,), (0.74,)),
        (0.74, 2),
        "Maximize",
        id="a number alone below its name",
    ),
    pytest.param(
        repeat(
            "Epoch $1\nclass car IoU: 0.9\nclass cat IoU: 0.8\nmean IoU: $2", (1, 0.5), (2, 0.6)
        ),
        (0.6, 2),
        "Maximize",
        id="the mean before single classes",
    ),
    pytest.param(
        repeat(
            "| train_inner | epoch 1: $1 / 90 loss=$2, ppl=9.5\n| dev | epoch 1: loss=$3, ppl=8.5",
            (10, 4.5, 4.1),
            (20, 4.2, 4.0),
        ),
        (8.5, 2),
        "Minimize",
        id="the inner loop of training",
    ),
    pytest.param(
        repeat("[Epoch $1] [D loss: $2] [G loss: $3]", (1, 0.2, 0.9), (2, 0.3, 0.7)),
        (0.7, 2),
        "Minimize",
        id="the generator before the discriminator",
    ),
    pytest.param(
        repeat("Saving, best val_f1: $1\nEpoch $2: val_f1: $1", (0.5, 1), (0.6, 2))
        + "\nEpoch 3: val_f1: 0.55",
        (0.55, 3),
        "Maximize",
        id="an epoch before the best so far",
    ),
    pytest.param(
        repeat("game $1 win: $2 lose: $3", (10, 4, 6), (20, 7, 3)),
        (7, 2),
        "Maximize",
        id="games that are won",
    ),
    pytest.param(
        repeat("epoch $1 train Loss: 1 Acc: 9\nepoch $1 test Loss: 2 Acc: $2", (1, 5), (2, 6)),
        (6, 2),
        "Maximize",
        id="a data set holds for the rest of its line",
    ),
    pytest.param(
        repeat(
            "Epoch[$1] Batch [20]\tTrain-Acc=0.1\nEpoch[$1] Train-Acc=$2\nEpoch[$1] Time cost=9.5",
            (1, 0.5),
            (2, 0.6),
        ),
        (0.6, 2),
        "Maximize",
        id="one name on the lines of batches and of epochs",
    ),
    pytest.param(
        repeat("epoch  main/f1  validation/main/f1\n$1  0.5  $2", (1, 0.4), (2, 0.45)),
        (0.45, 2),
        "Maximize",
        id="the header of a table is no heading",
    ),
    pytest.param(
        repeat("Epoch $1 => valid loss: 0.5, valid AUROC => $2", (1, 0.7), (2, 0.8)),
        (0.8, 2),
        "Maximize",
        id="an arrow before the number",
    ),
    pytest.param(
        repeat("epoch $1 loss 0.5\nAverage PSNR : $2dB", (1, 20.5), (2, 21.5)),
        (21.5, 2),
        "Maximize",
        id="a unit behind its number",
    ),
    pytest.param(
        repeat("t.pos_err:0.5\nt.neg_err:0.4\nt.acc:$1", (0.8,), (0.9,)),
        (0.9, 2),
        "Maximize",
        id="a name that ends like that of a file",
    ),
    pytest.param(
        repeat(
            "epoch $1: total_loss: 2\nTraining of it is done and the AP is $2",
            (1, 80),
            (2, 90),
        ),
        (90, 2),
        "Maximize",
        id="training that is no data set",
    ),
    pytest.param(
        repeat("Loss at step $1: $2", (1, 8.5), (2, 7.5)),
        (7.5, 2),
        "Minimize",
        id="the step between a name and its number",
    ),
    pytest.param(
        repeat("Validation error after $1 epochs = $2", (1, 0.5), (2, 0.4)),
        (0.4, 2),
        "Minimize",
        id="the step before its word, between a name and its number",
    ),
    pytest.param(
        repeat("Test accuracy (epoch $1/10) : $2", (1, 0.5), (2, 0.6)),
        (0.6, 2),
        "Maximize",
        id="the step in brackets behind a name",
    ),
    pytest.param(
        repeat("epoch $1 precision:0.0512recall:0.10f1:$2", (1, "0.07"), (2, "0.17")),
        (0.17, 2),
        "Maximize",
        id="names that follow on numbers without a blank",
    ),
    pytest.param(
        repeat("[Adam] PDE:2.5e-03/2.$1e-03 val loss:$2 IF:0.1", (1, 0.5), (2, 0.4), (3, 0.3)),
        (0.3, 3),
        "Minimize",
        id="numbers before a name are no part of it",
    ),
    pytest.param(
        "Namespace(lr=0.1, test_acc_gap=0.5, batch_size=8, data='x', optimizer='adam', seed=1)\n"
        + repeat("iter $1 score $2", (1, 20.5), (2, 21.5)),
        (21.5, 2),
        "Maximize",
        id="arguments are no metrics",
    ),
    pytest.param(
        "fid_every: 3\nlr: 0.1\nbatch_size: 8\ndata_dir: ./x\noptimizer: adam\n"
        + repeat("Epoch $1 FID: $2", (1, 30.5), (2, 20.5)),
        (20.5, 2),
        "Minimize",
        id="a configuration is no metric",
    ),
    pytest.param(
        repeat("10:00:0$1 INFO - $2", (1, "lr : 0.1"), (1, "dropout : 0.5"), (1, "path : /x"))
        + repeat("\n10:00:0$1 INFO - $2", (1, "device : cuda"), (1, "accuracy_floor : 0.5"))
        + repeat("\nstep $1 mse $2", (1, 0.5), (2, 0.4)),
        (0.4, 2),
        "Minimize",
        id="a configuration with stamps of time is no metric",
    ),
    pytest.param(
        "dataset: cora\nmodel: GCN\naccuracy: 0.81\nloss: 0.4",
        (0.81, 1),
        "Maximize",
        id="a few names before the result are no configuration",
    ),
    pytest.param(
        "lr: 0.1\nbatch_size: 8\ndata_dir: ./x\noptimizer: adam\nseed: 1\ntest_acc: 0.81",
        (0.81, 1),
        "Maximize",
        id="the result below a configuration",
    ),
    pytest.param(
        repeat("epoch\tloss\tacc\n$1\ttensor(0.5, device='cuda:0')\ttensor($2)", (1, 0.5)),
        (0.5, 1),
        "Maximize",
        id="tensors in a table",
    ),
    pytest.param(
        "2d_loss\t3d_loss\n0.5\t0.6\n0.4\t0.5",
        (0.4, 2),
        "Minimize",
        id="a table whose names begin with a digit",
    ),
    pytest.param(
        "          tp  fp   P      R      F1\ncat       65  32  16.5%  47.1%  24.4%\n"
        "M.avg     -   -   27.1%  21.2%  21.9%",
        (21.9, 1),
        "Maximize",
        id="the row of the averages of a table",
    ),
    pytest.param(
        "        precision  recall  f1-score  support\n     cat  0.9  0.8  0.85  10\n"
        "macro avg  0.7  0.6  0.65  20",
        (0.65, 1),
        "Maximize",
        id="a label of two words before a row",
    ),
    pytest.param(
        "TOK     100.00\nNER P   67.61\nNER R   53.02\nNER F   59.43",
        (59.43, 1),
        "Maximize",
        id="an F-score that is called F",
    ),
    pytest.param(
        repeat("p of $1: {'reward': 0.1, '$1': 0.9}", *((f"w{n}x",) for n in range(99)))
        + repeat("\nEpoch $1 Decoder Loss: $2", (1, 4.5), (2, 3.5)),
        (3.5, 2),
        "Minimize",
        id="probabilities of words are no metrics",
    ),
    pytest.param(
        repeat("epoch $1 | evl set : acc 0.$1\nepoch $1 | training set : acc 0.9", (1,), (2,)),
        (0.2, 2),
        "Maximize",
        id="a data set that is abbreviated",
    ),
    pytest.param(
        repeat("$1 with entropy ratio 0.95", ("B6C3F1/J",), ("CB6F1/J",), ("AKR/J",), ("DBA/2J",))
        + repeat("\n$1:\tlearn: $2\ttotal: 1s", (0, 0.4), (1, 0.5), (2, 0.6)),
        (0.6, 3),
        "Maximize",
        id="a curve before what is said of many things",
    ),
    pytest.param(
        repeat("epoch $1 Recon: $2 | KL: 0.$1", (1, 0.5), (2, 0.4)),
        (0.4, 2),
        "Minimize",
        id="the reconstruction before its divergence",
    ),
    pytest.param(
        repeat("Average slot precision: 0.9\nAverage goal accuracy: $1", (0.5,), (0.6,)),
        (0.6, 2),
        "Maximize",
        id="an average of a precision is no average precision",
    ),
    pytest.param(
        "Zero-shot test accuracy: 54.5\nepoch 1\nFinal test accuracy: 65.5",
        (65.5, 1),
        "Maximize",
        id="the final result",
    ),
    pytest.param(
        repeat("epoch $1 val_loss 0.$1 {'lr': 0.1, 'grad': 0.$1}", (5,), (4,)),
        (0.4, 2),
        "Minimize",
        id="a metric beside a dict",
    ),
    pytest.param(
        repeat("uAUC: {'like': 0.9, 'share': 0.8}\nWeighted uAUC: $1", (0.6,), (0.7,)),
        (0.7, 2),
        "Maximize",
        id="a word that ends like a metric",
    ),
    pytest.param(
        repeat("epoch: $1, losses: [0.1, 0.$1], finalacc: 0.$1", (5,), (6,)),
        (0.6, 2),
        "Maximize",
        id="words without a blank between them",
    ),
    pytest.param(
        "#pred  P    R    F1\n--------\nm.avg  7  0.2  0.1  0.15",
        (0.15, 1),
        "Maximize",
        id="a number of things in a header",
    ),
    pytest.param(
        repeat("20181030_19450$1 reward: -6.$1, file: x.csv", (1,), (3,), (2,)),
        (-6.2, 3),
        "Maximize",
        id="a stamp of time before a name",
    ),
    pytest.param(
        repeat("20181030_19450$1 forward: -6.$1, file: x.csv", (1,), (3,), (2,)),
        (-6.2, 3),
        "Minimize",
        id="a stamp of time before a name that nobody knows",
    ),
    pytest.param(
        "arch:alexnet\ndatapath:./data/\ngamma:0.1\nlr:0.1\nmomentum:0.9\n"
        "Learning Rate\tValid Loss\tValid Acc\t\n0.1\t2.2\t19.5\t\n0.1\t2.1\t20.5\t",
        (20.5, 2),
        "Maximize",
        id="a table below a configuration",
    ),
    pytest.param(
        repeat(" iteration:  $1  chi2 = 1.2D+02  val rms = $2D-01", (1, 0.5), (2, 0.4)),
        (0.04, 2),
        "Minimize",
        id="Fortran",
    ),
    pytest.param(
        repeat("Epoch: [$1] [99/99] g_loss: $2", (" 8", 1.5), (" 9", 1.4), ("10", 1.3)),
        (1.3, 3),
        "Minimize",
        id="a step that is filled up with blanks",
    ),
    pytest.param(
        "#  step   rmse_val   rmse_trn\n" + repeat("   $1   $2   0.1", (0, 0.7), (100, 0.6)),
        (0.6, 2),
        "Minimize",
        id="a header that is a comment",
    ),
    pytest.param(
        repeat("  points =         9\n  RMSE =           0.000000$1", (51,), (49,)),
        (4.9e-7, 2),
        "Minimize",
        id="many blanks before a number",
    ),
    pytest.param(
        repeat("epoch $1: val loss: 0.$2", (1, 9), (2, 8), (3, 7)) + "\nFinal test accuracy: 0.9",
        (0.7, 3),
        "Minimize",
        id="what is followed on the way before what is printed at the end",
    ),
    pytest.param(
        repeat("Episode $1\tAverage Score: $2", (1, 20.5), (2, 24.1), (3, 22.2), (4, 19.9)),
        (19.9, 4),
        "Maximize",
        id="a score that gets worse",
    ),
    pytest.param(
        repeat("Score at iteration $1 is $2", (1, 2.3), (2, 0.9), (3, 0.4), (4, 0.3)),
        (0.3, 4),
        "Minimize",
        id="a loss that is called a score",
    ),
    pytest.param(
        repeat("iter  $1 value $2", (10, 90.5), (20, 50.5), (30, 40.5), (10, 190.5), (20, 150.5)),
        (150.5, 5),
        "Minimize",
        id="the trend of single runs",
    ),
    pytest.param(
        repeat("INFO:{'lr': 0.1, 'depth': 3, 'path': 'a', 'mode': 'b', 'test_score': $1}", (0.5,)),
        (0.5, 1),
        "Maximize",
        id="a result among settings",
    ),
    pytest.param(
        repeat(
            "done: false\nepisode_reward_mean: $1\nhostname: ray-head\ninfo:\n  cur_lr: 5.0e-05\n"
            "  entropy: 2.39\nnum_steps_sampled: 400\nnum_steps_trained: 400\n\n",
            ("-819.93",),
            ("-621.65",),
        ),
        (-621.65, 2),
        "Maximize",
        id="a report in the form of settings, with other values each time",
    ),
    pytest.param(
        repeat(
            '{"step": $1, "num_pairs": 8, "num_tokens": 9, "num_workers": 2, "clock:unique": 9,'
            ' "loss:sum": $2, "accuracy": $3}',
            (1, 2.7, 0.53),
            (2, 2.6, 0.61),
        ),
        (0.61, 2),
        "Maximize",
        id="names with a colon in JSON",
    ),
    pytest.param(
        repeat(
            "train: 100%|██| 9/9 [00:01<00:00, 8.1it/s, iou_score - 0.9]\n"
            "valid: 100%|██| 9/9 [00:01<00:00, 8.1it/s, iou_score - 0.$1]",
            (5,),
            (6,),
        ),
        (0.6, 2),
        "Maximize",
        id="a set that is named before a bar of progress",
    ),
    pytest.param(
        repeat("$1|$10|Loss: 0.$2: 100%|##| 9/9", (1, 95), (2, 85)),
        (0.85, 2),
        "Minimize",
        id="a colon behind a number",
    ),
    pytest.param(
        repeat("2024-01-0$1 10:0$1:0$1 | $1 | loss 0.$2", (1, 9), (2, 8), (3, 7)),
        (0.7, 3),
        "Minimize",
        id="a counter behind a time",
    ),
    pytest.param(
        repeat("training loss:\t\t0.1\nvalidation loss:\t\t$1", (0.7,), (0.6,)),
        (0.6, 2),
        "Minimize",
        id="tabs behind a colon",
    ),
    pytest.param(
        repeat(
            "Epoch $1 [1/2] loss: 0.9 acc: 0.1\nEpoch $1 [2/2] loss: 0.8 acc: 0.2\n"
            ">>> Evaluating\nloss: 0.7, acc: $2",
            (1, 0.3),
            (2, 0.4),
        ),
        (0.4, 2),
        "Maximize",
        id="the second value of a summary",
    ),
    pytest.param(
        "  epoch    train loss    valid loss    valid acc     dur\n"
        "-------  ------------  ------------  -----------  ------\n"
        + repeat("      $1           0.9           0.8         $2    1.2s", (1, 0.7), (2, 0.8)),
        (0.8, 2),
        "Maximize",
        id="names of columns with blanks in them",
    ),
    pytest.param(
        "   Accuracy     F1\n" + repeat("$1      $2    0.5", (0, 0.7), (1, 0.8), (2, 0.9)),
        (0.9, 3),
        "Maximize",
        id="rows that are numbered, below no name",
    ),
    pytest.param(
        repeat("Epoche $1: Trainingsfehler 0.1, Validierungsfehler $2", (1, 0.7), (2, 0.6)),
        (0.6, 2),
        "Minimize",
        id="German in one word",
    ),
    pytest.param(
        repeat(
            "Epoch $1\nTraining:\nloss: $2 acc: 0.9\nValidation:\nloss: $3 acc: 0.$4",
            (1, 0.5, 0.6, 71),
            (2, 0.4, 0.5, 75),
        ),
        (0.75, 2),
        "Maximize",
        id="data sets named in the lines above",
    ),
    pytest.param(
        repeat(
            "INFO - Evaluating on the dev set\nF1: 0.$1\ncat F1: 0.1\n"
            "INFO - Evaluating on the test set\nF1: 0.$2\ncat F1: 0.2",
            (5, 4),
            (6, 5),
            (8, 7),
        ),
        (0.8, 3),
        "Maximize",
        id="two evaluations, with values of classes below each",
    ),
    pytest.param(
        repeat("[$1] train\n loss=0.$2\n[$1] val\n loss=0.$3", (1, 5, 6), (2, 4, 5)),
        (0.5, 2),
        "Minimize",
        id="headings with the number of the epoch",
    ),
    pytest.param(
        repeat(
            "Epoch $1: lr 0.1\ntask A: accuracy 0.$2\ntask B: accuracy 0.$3",
            (1, 5, 4),
            (2, 6, 5),
            (3, 7, 6),
        ),
        (0.7, 3),
        "Maximize",
        id="two tasks under one name",
    ),
    pytest.param(
        repeat(
            "train: {'acc': 0.$1, 'epoch': $2}\nval: {'acc': 0.$1, 'epoch': $2}", (5, 1), (6, 2)
        ),
        (0.6, 2),
        "Maximize",
        id="data sets before dicts of a program with a preset",
    ),
    pytest.param(
        repeat(
            '{"split": "train", "acc": 0.$1, "epoch": $2}\n{"split": "val", "acc": 0.$1}',
            (5, 1),
            (6, 2),
            (7, 3),
        ),
        (0.7, 3),
        "Maximize",
        id="data sets in a key of JSON lines",
    ),
    pytest.param(
        repeat('stats: {"_type": "train_epoch", "top1": $1}', (8,), (9,))
        + repeat('\nstats: {"_type": "val_epoch", "top1": $1}', (5,), (6,)),
        (6, 2),
        "Maximize",
        id="data sets in a key of JSON lines, one after the other",
    ),
    pytest.param(
        repeat("epoch $1 train_loss 0.1 val_loss 0.$2 F1 0.$3", (1, 9, 5), (2, 8, 6), (3, 7, 8)),
        (0.8, 3),
        "Maximize",
        id="a score beside the only loss on data held out",
    ),
    pytest.param(
        "Precision: 0.8\nRecall: 0.5\nF-beta: 0.6\n  loss_scale_window: 1000",
        (0.6, 1),
        "Maximize",
        id="an F-score by its full name",
    ),
    pytest.param(
        repeat("Epoch $1/9 | CER=0.$2\n[BEST] New best CER=0.$2 - saved", (1, 5), (2, 4))
        + "\nEpoch 3/9 | CER=0.45",
        (0.45, 3),
        "Minimize",
        id="the best so far beside every value",
    ),
    pytest.param(
        'labels,auc\n"[\'a\', \'b\']",0.5\n"c, d",0.6\n"e",0.7',
        (0.7, 3),
        "Maximize",
        id="commas in quotes",
    ),
    pytest.param(
        repeat("Epoch 1$1 @ 11:1$1 AM : 98.$1% Accuracy", (1,), (2,), (3,), (4,))
        + "\n"
        + repeat("Epoch 2$1 @ 01:1$1 PM : 98.$1% Accuracy", (1,), (2,), (3,), (5,)),
        (98.5, 8),
        "Maximize",
        id="a word that changes, but takes no turns",
    ),
    pytest.param(
        repeat("轮次 $1, 验证准确率: 0.$1", (5,), (6,), (4,)) + "\n最佳验证准确率: 0.6" * 2,
        (0.4, 3),
        "Maximize",
        id="the best so far in another language",
    ),
    pytest.param(
        repeat("Epoch $1: mean loss: 0.06$11278449\nValid: mean loss: 0.05$12784495", (1,), (2,)),
        (0.0522784495, 2),
        "Minimize",
        id="a number with many digits is no date",
    ),
    pytest.param(
        repeat("train: {'acc': 0.$1}\nval: {'acc': 0.$2}", (5, 4), (6, 5), (8, 7)),
        (0.7, 3),
        "Maximize",
        id="data sets before dicts",
    ),
    pytest.param(
        repeat("Losses {'ner': $1}", (30.5,), (20.5,), (10.5,)) + "\nwins for 7",
        (10.5, 3),
        "Minimize",
        id="what a dict has before it",
    ),
    pytest.param(
        "         |--- VALID ---|--- TRAIN ---|\nlr epoch | loss  top-1 | loss  top-1 | time\n"
        + repeat("0.1   $1.0 | 0.8   $2.5 | 0.6   9$2.5 | $1 hr 5 min", (1, 60), (2, 70), (3, 72)),
        (72.5, 3),
        "Maximize",
        id="a table whose bars part groups of columns",
    ),
    pytest.param(
        repeat("$1 0.$2 0.$3", (0, 61, 85), (1, 42, 95), (2, 33, 92), (3, 25, 96), (4, 22, 97)),
        (0.97, 5),
        "Maximize",
        id="columns without names",
    ),
    pytest.param(
        "epoch train_loss val_loss\nmoving to the GPU\nready\nwarm up\nnow it starts\n"
        + repeat("$1 0.$2 0.$3", (1, 5, 6), (2, 4, 5)),
        (0.5, 2),
        "Minimize",
        id="a header far above its rows",
    ),
    pytest.param(
        "commit\tl2\tcv_mae\tstatus\n"
        + repeat("a$1f\t0.1\t13$2.5\tkeep l2=0.5", (1, 9), (2, 7), (3, 8)),
        (138.5, 3),
        "Minimize",
        id="a file of experiments whose rows begin with words",
    ),
    pytest.param(
        "config/l2,config/auc,epoch,auc\n" + repeat("0.1,0.$2,$1,0.$2", (1, 6), (2, 7)),
        (0.7, 2),
        "Maximize",
        id="a group of settings among the columns",
    ),
    pytest.param(
        "iter   chisq   delta  a\n0  918.5 0.5 1.5\n8  0.25 0.1 1.25\nafter 9 steps done",
        (0.25, 2),
        "Minimize",
        id="a sentence below a table",
    ),
    pytest.param(
        repeat(
            "{'loss': 0.$1, 'rewards/chosen': 0.$2, 'rewards/accuracies': 0.$3, 'epoch': $2}",
            (7, 1, 5),
            (6, 2, 6),
        ),
        (0.6, 2),
        "Maximize",
        id="rewards of one side",
    ),
    pytest.param(
        repeat(
            "{'rewards/accuracy/mean': 0.$1, 'reward': 1.$1, 'loss/policy': 0.1, 'epoch': $2}",
            (7, 1),
            (8, 2),
        ),
        (1.8, 2),
        "Maximize",
        id="a reward and its parts",
    ),
    pytest.param(
        repeat("{'objective/rlhf_reward': 0.$1, 'loss/policy_avg': 0.$2}", (1, 7), (2, 9)),
        (0.2, 2),
        "Maximize",
        id="the last part of a path says what it is",
    ),
    pytest.param(
        repeat("class $1, AP = 0.$2", (1, 5), (2, 6), (3, 7)) + "\nmean AP = 0.600",
        (0.6, 1),
        "Maximize",
        id="the mean of single classes",
    ),
    pytest.param(
        repeat("valid MR: $1 | MRR: 0.$2\ntest MR: $1 | MRR: 0.9", (9.5, 5), (8.5, 6)),
        (0.6, 2),
        "Maximize",
        id="a data set before two names",
    ),
    pytest.param(
        repeat("Val Loc Loss: 0.$1, Tot Loss: 0.$2", (3, 7), (2, 6)),
        (0.6, 2),
        "Minimize",
        id="total, abbreviated",
    ),
    pytest.param(
        repeat('{"k": $1, "jobs_seen": 2$1, "Jp": 0.$2}', (1, 7), (3, 6), (2, 5)),
        (0.5, 3),
        "Minimize",
        id="a number of things, and one that nobody knows",
    ),
    pytest.param(
        repeat("epoch $1 | val_acc: 0.$2", (1, 5), (2, 6), (3, 7))
        + "\nacc, val_acc=[(0.9, 0.5), (0.9, 0.6)]",
        (0.7, 3),
        "Maximize",
        id="names before a list of pairs",
    ),
]


@pytest.mark.parametrize(("log", "expected", "direction"), LOGS)
def test_the_objective_of_a_strangers_log_comes_first(
    log: str, expected: tuple[float, int], direction: str
) -> None:
    first = detect_metrics(split_lines(log.encode()))[0]
    assert (first.curve[-1][1], len(first.curve)) == expected, first
    assert first.objective_type == direction


@pytest.mark.parametrize(
    "log",
    [
        "listening on port 80\nrequest 1 took 12.3ms\nrequest 2 took 9.9ms\nrequest 3 took 8.8ms",
        "Downloading numpy-1.26.0.tar.gz (15.6 MB)\n 100% |####| 15.6MB 1.2MB/s",
        '  File "train.py", line 12, in <module>\n  File "train.py", line 7, in f\nValueError: 3',
        repeat("Processed $1 files\nCopied $2 GB", (100, 3.5), (200, 7.1), (300, 9.9)),
        repeat("[W cuda.cpp:10$1] no timing", (1,), (2,), (3,)),
        repeat("Found GPU $1: Tesla V100, 16160 MB", (0,), (1,), (2,)),
        repeat("Eval [$1/9] 12$1.5 img/s, throughput: 3$1.5 img/s", (1,), (2,), (3,)),
        repeat("rank: $1, MEMBER: 1/8", (0,), (1,), (2,)),
        "KERNEL_MAP=512\nrun 1\nKERNEL_MAP=512\nrun 2",
        "accuracy: 0.0,\nvalidation_loss: 0.0,",
        repeat("[W 16:29:2$1.940 app] 3 errors", (1,), (2,), (3,)),
        repeat("$1, 0.5$1", *((n,) for n in range(9))),
        repeat("time,pitch,roll\n1.$1,2.$1,3.5", (1,), (2,), (3,)),
        "lr: 0.1\nbatch_size: 8\naccuracy_floor: 0.5\ndata_dir: ./x\noptimizer: adam\nseed: 1",
        "worker failed, return code = 1",
        repeat(
            "[Run $1] python train.py --model elo_model_$1 --data test_set --epochs 10", (1,), (2,)
        ),
        repeat("x improved from 0.9 to 0.$1, saving", (8,), (7,), (6,)),
        repeat("Map:  $10%|##  | $1000/9000 [00:0$1<00:09, 101.5 examples/s]", (1,), (2,), (4,)),
        repeat("accuracy\t\tNN1 : $1\t\nvalue\t\tNN2 : 4\tVVB : $1\t", (3,), (5,), (7,)),
        repeat("took $1 hr $2 min", (1, 17), (2, 25), (3, 11)),
        "    return Response(200, body)\n    return Response(404, body)\nmacro = 3",
    ],
)
def test_where_nothing_looks_like_a_metric_nothing_is_proposed(log: str) -> None:
    assert detect_metrics(split_lines(log.encode())) == ()


def test_of_a_long_log_the_lines_that_come_seldom_are_searched_too() -> None:
    lines = [f"{n % 100}%|##| {n}/99 [00:0{n % 9}<00:10, loss={n % 7}.5]" for n in range(30_000)]
    for number, place in enumerate(range(1_000, 30_000, 3_000), 1):
        lines.insert(place, f"test ELBO= -{100 - number}.5")
    first = detect_metrics(lines)[0]
    assert len(first.curve) == 10
    assert first.curve[-1][1] == -90.5


@pytest.mark.parametrize(
    ("log", "curve"),
    [
        (
            repeat("Fold $1\nEpoch 1 val_acc 0.5\nEpoch 2 val_acc $2", (1, 0.6), (2, 0.8)),
            {1: 0.6, 2: 0.8},
        ),
        (repeat("[Fold $1/5] epoch 9: val_acc=$2", (1, 0.6), (2, 0.8)), {1: 0.6, 2: 0.8}),
        ("Fold 1 acc: 0.6\nFold 2 acc: 0.8\nMean acc: 0.7", {1: 0.6, 2: 0.8}),
    ],
)
def test_of_folds_the_last_value_of_each_counts_and_of_these_the_mean(
    log: str, curve: dict[float, float]
) -> None:
    first = detect_metrics(split_lines(log.encode()))[0]
    assert dict(first.curve) == curve
    assert first.objective_value == "mean"
