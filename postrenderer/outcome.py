"""How a run ends: its exit code, and the words for what went wrong."""

from __future__ import annotations

DONE = 0
POLICY = 1
"""A policy that was asked for is not met."""
USAGE = 2
"""Usage, configuration, input that is refused, a full disk."""
INTERNAL = 70
"""A bug."""
INTERRUPTED = 130
CLOSED_PIPE = 141


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the message for what ended a run."""
    import click

    from postrenderer.model import PolicyFailure, Refused, TimeOver

    if isinstance(error, PolicyFailure):
        return POLICY, str(error)
    if isinstance(error, click.ClickException):
        return USAGE, error.format_message()
    if isinstance(error, Refused):
        return USAGE, error.message
    if isinstance(error, TimeOver):
        return USAGE, str(error)
    if isinstance(error, BrokenPipeError):
        return CLOSED_PIPE, "the output was closed before everything was written"
    if isinstance(error, MemoryError):
        return USAGE, "not enough memory for this input: give it more, or render it in parts"
    if isinstance(error, OSError):
        return USAGE, f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED, "interrupted"
    return INTERNAL, f"this is a bug: {type(error).__name__}: {error}"


def escape(text: str) -> str:
    """Write out what is not printable: a resource's or a file's name must not move a cursor, or forge a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
