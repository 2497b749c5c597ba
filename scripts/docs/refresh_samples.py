"""Run real programs and keep what they print, for the tests of presets.

    python scripts/docs/refresh_samples.py --short    # one program, and keep nothing
    pip install xgboost lightgbm catboost scikit-learn keras jax vowpalwabbit spacy fasttext-wheel
    pip install torch lightning transformers accelerate
    python scripts/docs/refresh_samples.py [NAME...]

Each is trained for a moment, on data that scikit-learn makes. NAME.log is its output, byte for
byte, and NAME.json what its own API says the metrics were: {metric: [[step, value], ...]}. Of what
is not installed, the samples stay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

SHORT = "scikit-learn-mlp"
SAMPLES = Path(__file__).parents[2] / "tests" / "unit" / "metrics" / "samples"

DATA = """
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
X, y = make_classification(400, 20, n_informative=5, flip_y=0.1, random_state=0)
X, Xv, y, yv = train_test_split(X, y, random_state=0)
truth = {}

def keep(name, values, steps=None):
    truth[name] = [[float(s), float(v)] for s, v in zip(steps or range(len(values)), values)]
"""

PROGRAMS = {
    "xgboost": """
        import xgboost
        result = {}
        train, valid = xgboost.DMatrix(X, y), xgboost.DMatrix(Xv, yv)
        xgboost.train(
            {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"]}, train, 20,
            evals=[(train, "train"), (valid, "validation")], evals_result=result,
            early_stopping_rounds=5,
        )
        for data, metrics in result.items():
            for metric, values in metrics.items():
                keep(f"{data}-{metric}", values)
    """,
    "lightgbm": """
        import lightgbm
        result = {}
        train = lightgbm.Dataset(X, y)
        lightgbm.train(
            {"objective": "binary", "metric": ["auc", "binary_logloss"], "num_leaves": 7},
            train, 20,
            valid_sets=[lightgbm.Dataset(Xv, yv, reference=train)],
            callbacks=[
                lightgbm.log_evaluation(1),
                lightgbm.early_stopping(5),
                lightgbm.record_evaluation(result),
            ],
        )
        for metric, values in result["valid_0"].items():
            keep(f"valid_0's {metric}", values, range(1, len(values) + 1))
    """,
    "catboost": """
        import catboost
        model = catboost.CatBoostClassifier(
            iterations=15, depth=3, random_seed=0, allow_writing_files=False, eval_metric="AUC"
        )
        model.fit(X, y, eval_set=(Xv, yv))
        keep("test", model.get_evals_result()["validation"]["AUC"])
    """,
    "keras": """
        import keras
        import numpy
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        history = model.fit(X, y, validation_data=(Xv, yv), epochs=4, verbose=VERBOSE)
        for metric, values in history.history.items():
            keep(metric, values, range(1, len(values) + 1))
    """,
    "lightning": """
        import lightning
        import torch
        from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
        from torch.utils.data import DataLoader, TensorDataset
        lightning.seed_everything(0)
        scores = []

        def load(x, y):
            data = TensorDataset(torch.tensor(x).float(), torch.tensor(y).float())
            return DataLoader(data, batch_size=50)

        class Model(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(20, 1)

            def step(self, batch):
                guess = self.layer(batch[0])[:, 0]
                return torch.nn.functional.binary_cross_entropy_with_logits(guess, batch[1])

            def training_step(self, batch, index):
                loss = self.step(batch)
                self.log("train_loss", loss, prog_bar=True)
                return loss

            def validation_step(self, batch, index):
                self.log("val_loss", self.step(batch), prog_bar=True)

            def on_train_epoch_end(self):
                scores.append(self.trainer.callback_metrics["val_loss"].item())

            def configure_optimizers(self):
                return torch.optim.Adam(self.parameters(), lr=0.05)

        trainer = lightning.Trainer(
            max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False,
            callbacks=[BAR()],
        )
        trainer.fit(Model(), load(X, y), load(Xv, yv))
        told = 0 if BAR is TQDMProgressBar else 3  # off a terminal, rich draws only the last
        keep("val_loss", scores[told:], range(told, 4))
    """,
    "huggingface": """
        import torch
        from transformers import Trainer, TrainingArguments
        torch.manual_seed(0)

        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(20, 2)

            def forward(self, x, labels):
                logits = self.layer(x)
                return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

        def listed(x, y):
            return [{"x": torch.tensor(a).float(), "labels": int(b)} for a, b in zip(x, y)]

        trainer = Trainer(
            Model(),
            TrainingArguments(
                "out", num_train_epochs=4, eval_strategy="epoch", logging_strategy="epoch",
                save_strategy="no", report_to=[], use_cpu=True, seed=0, learning_rate=0.05,
            ),
            train_dataset=listed(X, y),
            eval_dataset=listed(Xv, yv),
            compute_metrics=lambda told: {
                "accuracy": float((told.predictions.argmax(1) == told.label_ids).mean())
            },
        )
        trainer.train()
        for metric in ("eval_loss", "eval_accuracy"):
            rows = [row for row in trainer.state.log_history if metric in row]
            keep(metric, [row[metric] for row in rows], [row["epoch"] for row in rows])
    """,
    "scikit-learn-mlp": """
        from sklearn.neural_network import MLPClassifier
        model = MLPClassifier((8,), max_iter=12, early_stopping=True, verbose=True, random_state=0)
        model.fit(X, y)
        steps = range(1, len(model.loss_curve_) + 1)
        keep("loss", model.loss_curve_, steps)
        keep("validation_score", model.validation_scores_, steps)
    """,
    "scikit-learn-boosting": """
        from sklearn.ensemble import GradientBoostingClassifier
        model = GradientBoostingClassifier(n_estimators=10, verbose=2, random_state=0).fit(X, y)
        keep("train_loss", model.train_score_, range(1, 11))
    """,
    "scikit-learn-subsampling": """
        from sklearn.ensemble import GradientBoostingClassifier
        model = GradientBoostingClassifier(n_estimators=10, subsample=0.5, verbose=2)
        model.set_params(random_state=0).fit(X, y)
        keep("train_loss", model.train_score_, range(1, 11))
    """,
    "scikit-learn-hist": """
        from sklearn.ensemble import HistGradientBoostingClassifier
        model = HistGradientBoostingClassifier(
            max_iter=8, max_leaf_nodes=7, early_stopping=True, scoring="loss", verbose=2
        ).fit(X, y)
        keep("hist_val_loss", [-each for each in model.validation_score_[1:]], range(1, 9))
    """,
    "scikit-learn-sgd": """
        from sklearn.linear_model import SGDClassifier
        SGDClassifier(loss="log_loss", max_iter=8, tol=None, verbose=1, random_state=0).fit(X, y)
    """,
    "scikit-learn-search": """
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3, verbose=3).fit(X, y)
        results = search.cv_results_
        scores = [results[f"split{f}_test_score"][i] for i in range(2) for f in range(3)]
        keep("cv_score", scores, range(1, 7))
    """,
    "spacy": """
        import random
        import spacy
        from spacy.cli.init_config import init_config
        from spacy.cli.train import train
        from spacy.tokens import DocBin
        from spacy.training.loggers import console_logger
        random.seed(0)
        scores = []

        @spacy.registry.loggers("keep.v1")
        def make_logger():
            console = console_logger(progress_bar=False)

            def start(nlp, stdout, stderr):
                log, finish = console(nlp, stdout, stderr)

                def step(info):
                    scores.extend([(info["step"], info["score"])] if info else [])
                    log(info)

                return step, finish

            return start

        nlp = spacy.blank("en")
        for path, count in (("train.spacy", 60), ("dev.spacy", 30)):
            docs = DocBin()
            for _ in range(count):
                good = random.random() < 0.5
                doc = nlp.make_doc(f"{random.choice('abcdef')} {'fine' if good else 'poor'} b c")
                doc.cats = {"GOOD": float(good), "BAD": float(not good)}
                docs.add(doc)
            docs.to_disk(path)
        config = init_config(lang="en", pipeline=["textcat"], optimize="efficiency")
        config["training"] |= {"max_steps": 60, "eval_frequency": 10}
        config["training"]["logger"] = {"@loggers": "keep.v1"}
        config.to_disk("config.cfg")
        train("config.cfg", overrides={"paths.train": "train.spacy", "paths.dev": "dev.spacy"})
        keep("SCORE", [score for _, score in scores], [step for step, _ in scores])
    """,
    "fasttext": """
        import random
        import fasttext
        random.seed(0)
        with open("train.txt", "w") as file:
            for _ in range(30000):
                label = random.choice("ab")
                words = " ".join(random.choice("xyzuvw" + label) for _ in range(12))
                print(f"__label__{label} {words}", file=file)
        fasttext.train_supervised("train.txt", epoch=25, thread=1, verbose=2)
    """,
    "vowpal-wabbit": """
        import vowpalwabbit
        model = vowpalwabbit.Workspace(loss_function="logistic")
        for _ in range(3):
            for row, label in zip(X, y):
                features = " ".join(f"{i}:{value:.4f}" for i, value in enumerate(row))
                model.learn(f"{2 * label - 1} | {features}")
        loss = model.get_sum_loss() / model.get_weighted_examples()
        model.finish()
        keep("average_loss", [loss], [1])
    """,
}
SOURCES = {
    **{name: text for name, text in PROGRAMS.items() if name not in ("keras", "lightning")},
    "lightning-tqdm": PROGRAMS["lightning"].replace("BAR", "TQDMProgressBar"),
    "lightning-rich": PROGRAMS["lightning"].replace("BAR", "RichProgressBar"),
    "keras-verbose-1": PROGRAMS["keras"].replace("VERBOSE", "1"),
    "keras-verbose-2": PROGRAMS["keras"].replace("VERBOSE", "2"),
}


def refresh(name: str, samples: Path) -> str:
    """Run one program, keep its samples in a directory, and return a line about it."""
    with tempfile.TemporaryDirectory() as directory:
        truth = Path(directory, "truth.json")
        tail = f"import json\njson.dump(truth, open({str(truth)!r}, 'w'))\n"
        source = DATA + textwrap.dedent(SOURCES[name]) + tail
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", source],
            cwd=directory,
            env={
                "PATH": "/usr/bin:/bin",
                "KERAS_BACKEND": "jax",
                "KERAS_HOME": directory,
                "COLUMNS": "200",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        if done.returncode:
            return done.stdout.decode(errors="replace").strip().splitlines()[-1]
        curves = json.loads(truth.read_text())
    (samples / f"{name}.log").write_bytes(done.stdout)
    (samples / f"{name}.json").write_text(json.dumps(curves) + "\n")
    return f"{len(done.stdout)} bytes, {len(curves)} metrics"


def main() -> None:
    """Refresh the samples that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument("--short", action="store_true", help="one program, and keep nothing")
    options = parser.parse_args()
    unknown = set(options.names) - set(SOURCES)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    if options.short:
        with tempfile.TemporaryDirectory() as directory:
            line = refresh(SHORT, Path(directory))
            if not any(Path(directory).iterdir()):
                sys.exit(line)
        print(f"{SHORT}: {line}")
        return
    for name in options.names or SOURCES:
        print(f"{name}: {refresh(name, SAMPLES)}", flush=True)


if __name__ == "__main__":
    main()
