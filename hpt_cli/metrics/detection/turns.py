"""Results of several things that take turns under one name: `task A: loss 1`, `task B: loss 2`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpt_cli.metrics.detection.vocabulary import find_data_set, is_quality

MAX_TURNS = 6
"""More things than these are single examples."""
MIN_SHARE = 0.9
"""The part of the rounds in which each thing has a result."""
_WORD = re.compile(r"(?<!\w)[^\W\d]+(?!\w)")


def find_turns(beginnings: Sequence[str]) -> list[str]:
    """Return for each result the word that tells it from the others; [] unless they take turns.

    Results of data sets need not: those of validation may come less often than those of training.

    Args:
        beginnings: of the lines of the results, in the order of the log.
    """
    told: list[tuple[str, ...]] = [tuple(_WORD.findall(text)) for text in beginnings]
    kinds = list(dict.fromkeys(told))
    if not 2 <= len(kinds) <= MAX_TURNS or len(told) < 2 * len(kinds):
        return []
    common = set.intersection(*map(set, kinds))
    own = {kind: _choose_word([word for word in kind if word not in common]) for kind in kinds}
    if len(set(own.values())) < len(kinds) or any(
        not each or is_quality(each) for each in own.values()
    ):
        return []
    if not (_take_turns(told, len(kinds)) or all(map(find_data_set, own.values()))):
        return []
    return [own[kind] for kind in told]


def _choose_word(words: Sequence[str]) -> str:
    """Return the word that names a data set, or else the first one; "" for none."""
    return next(filter(find_data_set, words), words[0] if words else "")


def _take_turns(told: Sequence[tuple[str, ...]], count: int) -> bool:
    """Return whether of so many results one after the other each is of another kind, mostly."""
    rounds = [told[place : place + count] for place in range(len(told) - count + 1)]
    return sum(len(set(each)) == count for each in rounds) >= MIN_SHARE * len(rounds)
