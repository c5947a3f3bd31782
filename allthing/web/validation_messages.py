"""What is wrong with an input, in sentences for the person who sent it.

Pydantic's own words name Python classes and its internals; they never reach a client.
"""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_ERRORS_SHOWN = 5

WHOLE_NUMBER = "has to be a whole number"
TRUTH_VALUE = "has to be true or false"
OBJECT = "has to be an object"
MESSAGES = {  # by pydantic's type of error; braces hold values of its context
    "missing": "is required",
    "model_type": OBJECT,
    "dict_type": OBJECT,
    "list_type": "has to be a list",
    "string_type": "has to be text",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_parsing_size": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "bool_type": TRUTH_VALUE,
    "bool_parsing": TRUTH_VALUE,
    "literal_error": "has to be {expected}",
    "greater_than_equal": "has to be at least {ge}",
    "less_than_equal": "has to be at most {le}",
    "string_too_short": "needs at least {min_length} characters",
    "string_too_long": "takes at most {max_length} characters",
    "too_short": "needs at least {min_length} entries",
    "too_long": "takes at most {max_length} entries",
    "value_error": "{error}",  # a sentence of ours
}


def describe_errors(error: ValidationError) -> str:
    """Say in one string what is wrong, as in `rankedChoices: needs at least 2 entries`."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{place(item)}: {message(item)}" for item in found[:MAX_ERRORS_SHOWN])


def place(item: ErrorDetails) -> str:
    return ".".join(str(part) for part in item["loc"]) or "body"


def message(item: ErrorDetails) -> str:
    return MESSAGES.get(item["type"], "is not valid").format(**item.get("ctx", {}))
