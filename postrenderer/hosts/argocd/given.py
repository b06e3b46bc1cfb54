"""Parameters as Argo CD hands them over, validated by pydantic. Imported where there are any: it takes its time."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from postrenderer.model import Refused

Shape = Literal["string", "array", "map"]
MAX_ITEM = 64 * 1024


class Given(BaseModel):
    """A parameter as Argo CD hands it over: `ApplicationSourcePluginParameter` of its API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StrictStr
    string: StrictStr | None = None
    array: list[StrictStr] | None = None
    map: dict[StrictStr, StrictStr] | None = None

    @property
    def shape(self) -> Shape | None:
        """Which of the three it is; None where it says nothing."""
        shapes: tuple[Shape, ...] = ("string", "array", "map")
        return next((shape for shape in shapes if getattr(self, shape) is not None), None)


def read_given(text: str) -> list[Given]:
    """Read `ARGOCD_APP_PARAMETERS`. Raises `Refused` for what is no list of parameters."""
    where = "ARGOCD_APP_PARAMETERS"
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(f"{where}: is no JSON: Argo CD writes a list of parameters there") from None
    if read is None:
        return []
    if not isinstance(read, list):
        raise Refused(f"{where}: takes a list of parameters, and got {describe(read)}")
    found = []
    for each in read:
        name = each.get("name") if isinstance(each, dict) else None
        try:
            found.append(Given.model_validate(each))
        except ValidationError as error:
            details = error.errors(include_url=False)[0]
            part = ".".join(map(str, details["loc"])) or "it"
            raise Refused(
                f"parameter {name!r}: {part} got {describe(details['input'])}; a parameter has a name and one of "
                "string, array (of strings) and map (of strings)"
            ) from None
        if sum(value is not None for value in (found[-1].string, found[-1].array, found[-1].map)) > 1:
            raise Refused(f"parameter {name!r}: has more than one of string, array and map: keep one")
        _check_text(found[-1])
    return found


def _check_text(given: Given) -> None:
    """Refuse what no process takes as an argument, and what would make a message of many lines."""
    texts = [given.name, given.string or "", *(given.array or ()), *(given.map or ()), *(given.map or {}).values()]
    for text in texts:
        if "\0" in text or any(0xD800 <= ord(char) <= 0xDFFF for char in text):
            raise Refused(f"parameter {given.name!r}: holds a character that no text has")
    for key in (*(given.map or ()), *(given.array or ())):
        if not key.isprintable() or len(key) > MAX_ITEM:
            raise Refused(
                f"parameter {given.name!r}: {key[:80]!r} has characters that cannot be printed, or is too long"
            )


def describe(value: Any) -> str:
    """Say what was given, in a few words."""
    kinds = {dict: "a map", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "...")
    return kinds.get(type(value), "something else")
