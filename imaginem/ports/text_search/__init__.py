"""Finding photos by words: how texts become tokens, and when two words are alike.

Every adapter uses these rules, so that a search gives the same results everywhere. Two words are
the same once they are folded (`folding`); alike if they look alike (`looks`), or sound alike
(`sounds`), as names do that are written in other scripts.
"""

from imaginem.ports.text_search.asks import Ask, TextSearch, Vocabulary, met_by
from imaginem.ports.text_search.likeness import Sureness
from imaginem.ports.text_search.searched import Term
from imaginem.ports.text_search.tokens import (
    marks_of,
    tokens_of,
    word_tokens,
)

__all__ = [
    "Ask",
    "Sureness",
    "Term",
    "TextSearch",
    "Vocabulary",
    "marks_of",
    "met_by",
    "tokens_of",
    "word_tokens",
]
