"""The model's tokenizer without truncation, to count the tokens of texts of any length."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.disk.regular_files import read_regular
from nexus_engine.errors import ModelError, one_line
from nexus_engine.model.model_folder import MAX_TOKENIZER_BYTES

__all__ = ["plain_tokenizer"]


def plain_tokenizer(folder: Path) -> FastTokenizer:
    """The tokenizer of the model in `folder`; it pads nothing and cuts nothing off.

    Raises ModelError for a file that cannot be read or is no tokenizer.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = FastTokenizer.from_buffer(read_regular(path, MAX_TOKENIZER_BYTES, follow=True))
    except (KeyboardInterrupt, SystemExit):
        raise
    except OSError as error:
        raise ModelError(f"{one_line(path)}: {error.strerror}") from None
    except BaseException as error:  # an Exception, or a panic of the native code
        raise ModelError(f"{one_line(path)}: {one_line(error, 120)}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
