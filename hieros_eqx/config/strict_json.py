"""JSON of strangers: whatever is no plain JSON value is one `ValueError`, never another error."""

import json
from collections.abc import Sequence
from typing import Any


class NotJSONError(ValueError):
    """A text is no JSON at all."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; bytes are read as UTF-8.

    Raises `NotJSONError` for other text or bytes, and `ValueError` for JSON that cannot be taken: a field
    given twice (of which JSON's readers keep the last without a word), groups within groups beyond what
    Python follows, or a whole number of thousands of digits. The message says what was wanted and got.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise NotJSONError(f"wanted JSON in UTF-8, got other bytes ({error.reason})") from None
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise NotJSONError(f"wanted JSON, got {error.msg} {where}") from None
    except RecursionError:
        raise ValueError("wanted a few groups within each other, got too many to read") from None
    except ValueError as error:
        if "digits" in str(error):  # Python's own limit for whole numbers
            raise ValueError("wanted numbers of a usual size, got one of thousands of digits") from None
        raise


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"wanted every field once, got {', '.join(twice)} twice")
    return values
