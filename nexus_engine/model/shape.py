"""What a base model is, besides its weights: sizes, pooling, maximum length and prompts.

Nothing here imports torch, so that `nexus models` answers at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "DEFAULT_SHAPE",
    "MAX_TOKENS",
    "EncoderShape",
    "ModelShape",
    "Pooling",
    "Prompts",
    "Role",
    "TokenizerKind",
]

MAX_TOKENS = 256
"""The `max_seq_length` of all-MiniLM-L6-v2. Longer sentences are truncated."""

Pooling = Literal["mean", "cls"]
Role = Literal["query", "passage"]
"""What a text is: a question, or what is searched. Texts compared with each other are queries."""
TokenizerKind = Literal["WordPiece", "Unigram"]


class EncoderShape(NamedTuple):
    """Sizes of the encoder and its pooling; the defaults are all-MiniLM-L6-v2's."""

    vocabulary: int = 30522
    positions: int = 512
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1536
    norm_epsilon: float = 1e-12
    segments: int = 2
    pooling: Pooling = "mean"

    @property
    def parameters(self) -> int:
        """The number of weights of the encoder, without the pooler of its file."""
        width, inner = self.width, self.inner
        tables = (self.vocabulary + self.positions + self.segments + 2) * width
        attention = 4 * (width * width + width)
        layer = attention + 2 * width * inner + inner + width + 4 * width
        return tables + self.layers * layer


class Prompts(NamedTuple):
    """What stands before a text by its role, "" for nothing."""

    query: str = ""
    passage: str = ""

    def of(self, role: Role) -> str:
        """The prompt of `role`."""
        return self.query if role == "query" else self.passage


class ModelShape(NamedTuple):
    """A base model as its folder describes it; the defaults are all-MiniLM-L6-v2's.

    `max_tokens` is how much of a text it reads. `normalise` says whether the folder brings vectors
    to length 1; NEXUS always does where it writes them. `lower_case` lowers texts before the
    tokenizer does what it does.
    """

    encoder: EncoderShape = EncoderShape()
    normalise: bool = True
    max_tokens: int = MAX_TOKENS
    prompts: Prompts = Prompts()
    lower_case: bool = False
    tokenizer: TokenizerKind = "WordPiece"


DEFAULT_SHAPE = ModelShape()
"""all-MiniLM-L6-v2's."""
