"""The words with which programs name metrics: what they measure, on which data, and what else is
printed beside them.
"""

from __future__ import annotations

import builtins
import re
import statistics
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Direction = Literal["Maximize", "Minimize"]
DataSet = Literal["validation", "test", "training", ""]
Kind = Literal["score", "loss", "detail", "beside", "unknown"]
"""What a name is of: a score that people compare models by, a loss, a score that says less than
another beside it, a number that nobody tunes, or nothing that is known."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEP_WORDS = (
    *("epoch", "epochs", "ep", "iteration", "iterations", "iter", "iters", "it", "step", "steps"),
    *("global_step", "num_steps", "round", "update", "updates", "num_updates", "up", "timestep"),
    *("timesteps", "total_timesteps", "generation", "gen", "tree"),
)
"""Words for how far a training run has come."""

_DATA_SETS: dict[str, DataSet] = {
    **dict.fromkeys(
        _words("val valid validation vali validate validating eval evaluation evaluating evaluate"),
        "validation",
    ),
    **dict.fromkeys(_words("dev holdout heldout cv oof validset devset evalset"), "validation"),
    **dict.fromkeys(_words("evl vld vaild vailid validataion valdation"), "validation"),
    **dict.fromkeys(_words("test testing tst te testset"), "test"),
    **dict.fromkeys(_words("train training trn tr trainset learn traing"), "training"),
}
_SET_WORDS = _words("set data dataset inner loop phase mode stage split metrics results")
"""Words behind the name of a data set, as in `test_set`."""
_JOINED = re.compile(
    r"^(val|vali|valid|validation|eval|dev|test|train|tr|te|mean|avg|average|final|best|total|max"
    r"|overall|cum|tot)(?=[a-z]{2,}\d*$)"
)
"""What stands at the beginning of a word, as in `valloss` and `meaniou`."""

_HIGHER = _words(
    "acc accuracy accuracies auc auroc auprc roc f1 fb1 f2 fscore score map map50 ap ap50 ap75 bleu"
    " sacrebleu reward rewards rew eprew return returns ret epret precision prec recall rec r2 iou"
    " miou dice ndcg psnr ssim rouge rouge1 rouge2 rougel meteor cider top1 top5 hits hit mrr"
    " correlation corr corrcoef pearson pearsonr spearman spearmanr"
    " plcc srcc correct kappa mcc likelihood elbo sensitivity specificity winrate"
    " success solved pck em aacc macc mdice nmi ari silhouette concordance cindex gini"
    " ks logprob sdr sisdr sisnr pesq stoi wa uar lpips_inv purity fitness winning"
    " win wins hr auprc aupr prauc mota hota idf1 pq chrf sari spice bertscore nse kge pcc jaccard"
    " ll loglik loglikelihood sharpe elo scores"
)
_LOWER = _words(
    "loss losses logloss error err errors rmse mse mae mape smape mase perplexity ppl wer cer"
    " ter deviance inertia nll crossentropy entropy fid kid rmsle mlogloss merror regret cost bpc"
    " bpb bpd l1 l2 epe rpe eer fer der brier ece chamfer nrmse rse mpjpe lpips hausdorff"
    " residual energy objective cd kl kld mcd lose lost recon reconstruction"
    " chi2 chisq rms fvd absrel silog ade fde minade minfde crps mspe rmspe wape wmape mdape mre"
    " pinball"
)
_QUALITIES = _HIGHER | _LOWER
_LOSSES = _words(
    "loss losses logloss nll crossentropy entropy cost mse mlogloss deviance inertia objective"
    " energy elbo likelihood residual kl kld logprob bpc recon reconstruction ll loglik"
    " loglikelihood"
)
"""Words of what a program minimizes, which says less than what it is measured by."""
_DETAILS = _words(
    "precision prec recall rec top5 top3 top10 p r std stdev stddev min max median"
    " std_err stderr cls support sensitivity specificity entropy kl kld explained variance"
    " l1 l2 chosen rejected non aux auxiliary component box obj dfl objectness rpn giou ar"
)
"""Words for one part or side of a result."""
_PARTS = _words("cls box bbox obj dfl objectness rpn giou aux auxiliary kl kld reg regularization")
"""Words for one of the losses whose sum is minimized."""
ADVERSARIES = _words("d disc discriminator critic adv adversarial adversary real fake")
MEANS = _words("mean average avg overall total tot macro all")
_BESIDE = _words(
    "batch time times eta lr rate sec secs second seconds ms s min mins minute hour hours day days"
    " speed it its memory mem gpu cpu ram runtime seed remaining elapsed num number params"
    " parameters param norm gnorm gradnorm grad gradient wall wps ups wpb bsz clip version momentum"
    " decay samples sample size images image instances instance count port pid patience total"
    " workers worker classes features feature leaves depth trees tree timesteps fps sps throughput"
    " id index rank world device devices line lines file files dim dimension dimensions channels"
    " layers layer hidden heads width height length len tokens token words word sentences sen"
    " characters vocab vocabulary examples example episodes eplen ep_len threshold thresh"
    " thr temperature temp beta alpha gamma lambda epsilon eps dropout weight weights scale decay"
    " step steps epoch epochs iteration iterations iter iters round update updates of date year"
    " month interval counter duration usage used free cached mb gb kb kib mib gib percent progress"
    " delta improved improvement improving decreased decrease increased increase reduced reduction"
    " change changed difference diff tp tn fp fn nan warmup bytes points epochs_trained cache"
    " exploration exploring fold folds trial trials build release python cuda torch available"
    " batches data draw draws code exitcode status signal window"
)
"""Words for numbers that are printed beside metrics, and that nobody tunes."""
_BESIDE_PHRASES = re.compile(
    r"\btime[ _]cost|\binitial|improve|decreas|increas|reduc(?:ed|tion)|min_delta|\bseed\b"
)
_GENERIC = _words("score metric value result results best monitor fitness")
"""Words that say that a number is a result, and not which way it is better."""
_SUFFIXES = _words(
    "epoch epochs step steps avg average mean smoothed ema total best so far overall all weighted"
    " now current new final raw value result rate ratio percent pct iter to is was reached"
)
"""Words after the one that a name is about, as in `loss_epoch`."""

SETTINGS = _words(
    "lr batch bs epochs seed optimizer optim momentum decay dropout hidden layers heads dim workers"
    " warmup scheduler device gpu gpus cuda beta beta1 beta2 betas gamma lambda epsilon eps clip"
    " path dir directory root resume pretrained checkpoint ckpt freq frequency every interval"
    " patience embedding embed channels kernel vocab backbone fp16 amp num n threads steps"
    " activation nesterov augment img imgsz port host debug verbose buffer capacity tau"
)
"""Words in names of settings, and in hardly any other."""

PREPOSITIONS = _words("on of for over in at per by with after from to")
LEADS = _words("mean average avg median total best final overall new current max min std")
"""Words that begin the name of a metric, as in `mean 100 episode reward`."""

_FOREIGN: tuple[tuple[str, str], ...] = (
    *(
        (word, "validation")
        for word in ("验证", "驗證", "検証", "검증", "валид", "開發", "开发集", "validier")
    ),
    *((word, "test") for word in ("测试", "測試", "テスト", "테스트", "тест")),
    *((word, "training") for word in ("训练", "訓練", "学習", "학습", "훈련", "обуч", "трен")),
    *(
        (word, "accuracy")
        for word in ("准确", "準確", "正确率", "正確率", "精度", "正解率", "精确")
    ),
    *((word, "accuracy") for word in ("정확", "точност", "genauigkeit", "précision", "exactitud")),
    *((word, "accuracy") for word in ("exactitude", "acurácia", "precisión", "dokładność")),
    *((word, "best") for word in ("最佳", "最好", "最优", "最高", "最良", "최고", "лучш")),
    *((word, "loss") for word in ("损失", "損失", "손실", "потер", "verlust", "perte", "pérdida")),
    *((word, "loss") for word in ("perda", "strata", "ошибк")),
    *((word, "error") for word in ("误差", "誤差", "오차", "fehler", "erreur")),
    *((word, "recall") for word in ("召回", "再現率", "재현율")),
    *((word, "reward") for word in ("奖励", "獎勵", "報酬", "보상", "回报")),
    *((word, "score") for word in ("得分", "分数", "スコア", "점수")),
    *((word, "epoch") for word in ("轮", "輪", "エポック", "에폭", "эпох")),
    *((word, "time") for word in ("时间", "耗时", "時間", "시간", "время", "学习率", "학습률")),
)
"""Parts of words in other languages, and what they mean."""


_KNOWN = _QUALITIES | _BESIDE | frozenset(_DATA_SETS)
_AT = re.compile(
    r"(?i)(?:^|[_\W])(?:p|r|f1?|hits?|ndcg|map|mrr|rec|recall|prec|precision|acc|top)@(?:\d+|k)\b"
    r"|\b(?:ner|ents|spans|cats|micro|macro|entity|overall)[_ ]f\b"
    r"|\bf[-_ ]?(?:beta|measure)\b"
)
"""A score of the first few answers, such as `P@1`, or an F-score that is called F."""


_SETTINGS_GROUP = re.compile(r"(?i)(?:config|params|hparams|hyperparam(?:eter)?s|args)[/.]")
"""What begins the names of settings among results, as `config/lr`."""

_WORD = re.compile(r"\d[dD](?![^\W_])|(?:[^\W\d_]+\d+){2,}|[^\W\d_]+\d*|\d+")
"""A word in a name: `2d` and codes such as `B6C3F1` are whole."""


@lru_cache(maxsize=4096)
def split_words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: `valLoss` gives val and loss."""
    # Not within mAP and mIoU.
    apart = re.sub(r"([a-z]{2})([A-Z])", r"\1 \2", name)
    apart = re.sub(r"([A-Z]{2,})([A-Z][a-z])", r"\1 \2", apart)
    apart = re.sub(r"(?i)(?<![^\W_])top[-_ ](?=\d)", "top", apart)
    found: list[str] = []
    for word in _WORD.findall(apart):
        found += _split_word(word.lower())
    return tuple(found)


_ENDINGS = ("loss", "error", "accuracy", "reward", "return", "score", "auc", "iou", "rmse", "bleu")
"""Ends of words that are words too, as in `gauc`."""


def _split_word(word: str) -> list[str]:
    if word in _KNOWN:
        return [word]
    if meant := [meaning for part, meaning in _FOREIGN if part in word]:
        return meant
    if not word.isascii():
        return [word]
    numbered = re.fullmatch(r"([a-z]+)(\d+)", word)
    if numbered and numbered[1] in _KNOWN:  # acc5, bleu4
        return [numbered[1], numbered[2]]
    joined = _JOINED.match(word)
    if joined:
        rest = word[joined.end() :]
        if rest in _QUALITIES:
            return [joined.group(), rest]
    abbreviated = re.fullmatch(r"(tr|te|v|val)l", word)
    if abbreviated:
        return [{"v": "val"}.get(abbreviated[1], abbreviated[1]), "loss"]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return [word.removesuffix(ending), ending]
    return [word]


@lru_cache(maxsize=4096)
def find_data_set(name: str) -> DataSet:
    """Return the data set that a name says it was measured on; empty if it does not say."""
    found = [_DATA_SETS[word] for word in split_words(name) if word in _DATA_SETS]
    return found[-1] if found else ""


_ACTIVITIES = _words("of is was has on for with done complete completed finished ended took takes")


def find_set_word(words: Sequence[str]) -> int | None:
    """Return the place of the first word that is the name of a data set; None without one."""
    for place, word in enumerate(words):
        plain = word.strip("()")
        if names_data_set(plain) and not is_activity(plain, words[place + 1 : place + 2]):
            return place
    return None


def is_activity(word: str, behind: Sequence[str]) -> bool:
    """Return whether `Training` is what a program does, by the words behind it, and no data set."""
    return word.lower().endswith("ing") and not _ACTIVITIES.isdisjoint(behind)


def names_data_set(word: str) -> bool:
    """Return whether a word is the name of a data set, and nothing more."""
    words = re.split("[_-]", word.lower()) if word.isascii() else split_words(word)
    return bool(words) and words[0] in _DATA_SETS and _SET_WORDS.issuperset(words[1:])


@lru_cache(maxsize=4096)
def find_kind(name: str) -> Kind:
    """Return what kind of number a name is of."""
    words = _split_path(name)
    own = [word for word in words if word not in _DATA_SETS]
    if _BESIDE_PHRASES.search(name.lower()) or _SETTINGS_GROUP.match(name):
        return "beside"
    if hasattr(builtins, name):  # `ValueError: 3`
        return "beside"
    if ("average", "precision") in pairwise(own) or "map" in own or _AT.search(name):
        return "score"
    own = _cut_at_preposition(own)
    while len(own) > 1 and (own[-1] in _SUFFIXES or own[-1].isdigit()):
        own = own[:-1]
    if not own:
        # A score that is called by its data set alone: `Val: 0.79`.
        return "score" if words and not words[-1].isdigit() else "unknown"
    if own[-1] in _BESIDE and own[-1] not in _QUALITIES:
        return "beside"
    if _QUALITIES.isdisjoint(own):
        if own[-1] in _GENERIC:
            return "detail"
        return "beside" if any(word in _BESIDE for word in own) else "unknown"
    if any(word in _LOSSES for word in own):
        return "detail" if any(word in _PARTS for word in own) else "loss"
    is_of_several = len(words) > 1 and words[-1] in ("3", "5", "10") and not _AT.search(name)
    return "detail" if is_of_several or any(word in _DETAILS for word in own) else "score"


def _split_path(name: str) -> tuple[str, ...]:
    """Return the words of a name that is a path perhaps: `objective/reward` is a reward."""
    group, _, own = name.rpartition("/")
    if not group or not is_quality(own):
        return split_words(name)
    return (*(word for word in split_words(group) if word not in _QUALITIES), *split_words(own))


def _cut_at_preposition(words: list[str]) -> list[str]:
    """Return the words before `on`, `of` and the like, if they say what is measured."""
    place = next((n for n, word in enumerate(words) if word in PREPOSITIONS), len(words))
    head = words[:place]
    return words if _QUALITIES.isdisjoint(head) else head


TREND_PARTS = 4
"""The first of so many parts of a curve is compared with the last for its trend."""


@lru_cache(maxsize=4096)
def is_quality(name: str) -> bool:
    """Return whether a name is usual for a metric."""
    words = split_words(name)
    return not _QUALITIES.isdisjoint(words) or bool(_AT.search(name))


def guess_direction(name: str, values: Sequence[float]) -> Direction:
    """Return in which direction a metric is better, by its name or else by its trend.

    Args:
        values: of one run of the program.
    """
    words = _split_path(name)
    if not _LOWER.isdisjoint(words):
        return "Minimize"
    higher = _HIGHER.intersection(words)
    if higher - _GENERIC or _AT.search(name):
        return "Maximize"
    finite = [value for value in values if abs(value) < float("inf")]
    if len(finite) < 2:
        return "Maximize" if find_kind(name) in ("score", "detail") else "Minimize"
    part = max(1, len(finite) // TREND_PARTS)
    begun, ended = statistics.fmean(finite[:part]), statistics.fmean(finite[-part:])
    if higher and "best" not in words:  # a loss that is called a score falls far
        return "Minimize" if 0 <= ended < begun / 2 else "Maximize"
    return "Maximize" if ended > begun else "Minimize"
