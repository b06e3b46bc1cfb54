"""Scalars as `kubectl` reads them, and strings that every reader takes for strings.

`kubectl` reads with sigs.k8s.io/yaml, whose resolver (goyaml.v2/resolve.go) is neither YAML 1.1 nor 1.2.
"""

from __future__ import annotations

import re

Value = bool | int | float | str | None

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_WORDS: dict[str, Value] = dict.fromkeys(NULLS)
for _words, _value in (("y yes true on", True), ("n no false off", False)):
    for _word in _words.split():
        _WORDS.update({_word: _value, _word.capitalize(): _value, _word.upper(): _value})

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))\Z"
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_TAG = "tag:yaml.org,2002:"

_SAFE_WORD = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*\Z")
_SPECIAL_WORD = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|\.inf|\.nan|\.[0-9].*)\Z", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def read_scalar(text: str, *, plain: bool, tag: str | None) -> Value:
    """Read a scalar: `yes`, `on`, `y` are true; `0x10`, `0b11`, `1_000`, `017`, `0o17`, `08` and `1e3` are integers."""
    if tag is None:
        return _resolve(text) if plain else text
    if tag in ("!", _TAG + "str", _TAG + "binary") or not tag.startswith(_TAG):
        return text
    return _resolve(text)


def _resolve(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "") if text[0] != "." else text
    integer = _INTEGER.match(digits)
    if integer and integer.lastgroup and len(digits) <= 66:  # 64 bits; Python refuses to convert 5,000 digits
        value = int(integer.group(integer.lastgroup), _BASES[integer.lastgroup])
        return -value if digits.startswith("-") else value
    if _FLOAT.match(digits):
        number = float(digits)
        # An integral float goes through JSON as an integer, as long as Go prints it without an exponent.
        if number.is_integer() and abs(number) < 1e21:
            return int(number)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def write_scalar(value: bool | int | str) -> str:
    """Write a value so that YAML 1.1, YAML 1.2 and `kubectl` read the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _SAFE_WORD.match(value) and not _SPECIAL_WORD.match(value):
        return value
    return quote(value)


def quote(text: str) -> str:
    """Write a string in double quotes, with escapes that YAML and JSON share."""
    import json

    # Not all of it as escapes: a character beyond U+FFFF would be two of them, which YAML does not put together.
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
