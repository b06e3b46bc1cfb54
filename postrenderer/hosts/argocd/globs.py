"""Patterns of file names as Argo CD reads them: github.com/gobwas/glob without separators, so that `*` crosses `/`.

Not `re`: a pattern is a tenant's, and `*a*a*a*a*b` backtracks for ever. Here, braces are written out first, and then a
match takes as many steps as pattern and name have characters, multiplied.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_ALTERNATIVES = 1000
MAX_LENGTH = 4096

Token = Callable[[str], bool] | None
"""What a character has to be; None for any number of characters."""


def parse_pattern(text: str) -> list[list[Token]]:
    """Read a pattern: `*`, `?`, `[a-z]`, `[!a-z]`, `{one,other}` and `\\` before any of them. Raises `ValueError`."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    return [_read_tokens(alternative) for alternative in _write_out(text)]


def matches(pattern: list[list[Token]], name: str) -> bool:
    """Tell whether a pattern matches the whole of a name."""
    return any(_matches_one(tokens, name) for tokens in pattern)


def _matches_one(tokens: list[Token], name: str) -> bool:
    # Go back to the last `*` only, and let it take one character more: earlier ones have nothing to gain.
    at = token = 0
    star = restart = -1
    while at < len(name):
        step = tokens[token] if token < len(tokens) else _is_none
        if step is None:
            star, restart = token, at
            token += 1
        elif step(name[at]):
            at += 1
            token += 1
        elif star >= 0:
            restart += 1
            at, token = restart, star + 1
        else:
            return False
    return all(step is None for step in tokens[token:])


def _is_none(_char: str) -> bool:
    return False


def _write_out(text: str) -> list[str]:
    """A pattern's alternatives without braces. Raises `ValueError` for braces that do not close, and for too many."""
    todo, done = [text], []
    while todo:
        pattern = todo.pop(0)
        group = _find_group(pattern)
        if group is None:
            done.append(pattern)
        else:
            start, end, parts = group
            todo = [pattern[:start] + part + pattern[end:] for part in parts] + todo
        if len(todo) + len(done) > MAX_ALTERNATIVES:
            raise ValueError(f"has more than {MAX_ALTERNATIVES} alternatives")
    return done


def _find_group(pattern: str) -> tuple[int, int, list[str]] | None:
    """The first group in braces: where it begins and ends, and its alternatives."""
    depth, start, begin = 0, 0, 0
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            at = _find_class_end(pattern, at)
        elif char == "{":
            depth += 1
            if depth == 1:
                start, begin = at, at + 1
        elif char in ",}" and depth == 1:
            parts.append(pattern[begin:at])
            begin = at + 1
            if char == "}":
                return start, at + 1, parts
        elif char == "}" and depth:
            depth -= 1
        at += 1
    if depth:
        raise ValueError("has a brace that is not closed")
    return None


def _find_class_end(pattern: str, at: int) -> int:
    end = pattern.find("]", at + 2)
    if end < 0:
        raise ValueError("has a bracket that is not closed")
    return end


def _read_tokens(pattern: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        elif char == "?":
            tokens.append(_is_any)
        elif char == "[":
            end = _find_class_end(pattern, at)
            tokens.append(_read_class(pattern[at + 1 : end]))
            at = end
        else:
            if char == "\\":
                at += 1
                char = pattern[at : at + 1]
            tokens.append(_make_literal(char))
        at += 1
    return tokens


def _is_any(_char: str) -> bool:
    return True


def _make_literal(wanted: str) -> Callable[[str], bool]:
    return lambda char: char == wanted


def _read_class(text: str) -> Callable[[str], bool]:
    """A class: characters, or one range of them, and the other way round after a `!`."""
    negated = text.startswith("!")
    text = text.removeprefix("!")
    if len(text) == 3 and text[1] == "-":
        return lambda char: (text[0] <= char <= text[2]) is not negated
    return lambda char: (char in text) is not negated
