"""Random resources, written in random styles, and random streams of them: what the property tests feed on."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

KNOWN = "cr.kagent.dev/kagent-dev/kagent/app:0.9.4"
IMAGES = (KNOWN, KNOWN, "cr.kagent.dev/kagent-dev/kagent/golang-adk:0.9.4", "example.org/unknown:1", "redis")
TEXTS = (
    "a",
    "it's",
    'say "hi"',
    "# no comment",
    "x: y",
    "äöü",
    "\U0001f680 up",
    "- item",
    "{}",
    "true",
    "",
    " ",
    "a\tb",
)
LONG = ("one\ntwo\n", "one\n\n  two", "\nlead\n", "tail\n\n\n", "kind: Sandbox\napiVersion: agents.x-k8s.io/v1\n")
CONTEXTS: tuple[Any, ...] = (
    None,
    {},
    {"runAsUser": 5000},
    {"runAsNonRoot": True},
    {"runAsUser": None, "fsGroup": 1},
    {"readOnlyRootFilesystem": True},
    {"capabilities": {"drop": ["ALL"]}},
    {"runAsNonRoot": False},
)
NULLS = ("", "", "null", "~", "Null", "NULL")


def make_resource(random: Random) -> dict[str, Any]:
    """A resource of a known kind, now and then inside a List."""
    resource = random.choice((_make_sandbox, _make_sandbox, _make_agent))(random)
    if random.random() < 0.1:
        other = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": random.choice(LONG)}}
        return {"apiVersion": "v1", "kind": "List", "items": [other, resource]}
    return resource


def _make_metadata(random: Random) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": random.choice(("web", "a.b-c"))}
    if random.random() < 0.4:
        metadata["labels"] = {"app": "x", "note": random.choice(TEXTS)}
    if random.random() < 0.2:
        metadata["annotations"] = {"text": random.choice(LONG), "empty": None}
    return metadata


def _make_sandbox(random: Random) -> dict[str, Any]:
    kind, group = random.choice((("Sandbox", "agents.x-k8s.io"), ("SandboxTemplate", "extensions.agents.x-k8s.io")))
    contexts = random.sample(CONTEXTS, 2)  # few, so that some are equal and can be shared through an alias
    count = random.choice((1, 1, 2, 3))
    pod: dict[str, Any] = {"containers": [_make_container(random, contexts) for _ in range(count)]}
    if random.random() < 0.2:
        pod["initContainers"] = [_make_container(random, contexts)]
    _maybe_set(random, pod, "securityContext", contexts)
    if random.random() < 0.4:
        pod["volumes"] = [{"name": "data", "emptyDir": {}}]
    spec = {"podTemplate": {"spec": _shuffle(random, pod)}}
    resource = {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": _make_metadata(random), "spec": spec}
    return _shuffle(random, resource)


def _make_agent(random: Random) -> dict[str, Any]:
    spec: dict[str, Any] = {"declarative": {"systemMessage": random.choice(TEXTS + LONG)}}
    if random.random() < 0.5:
        deployment: Any = {"replicas": 1}
        contexts = random.sample(CONTEXTS, 2)
        _maybe_set(random, deployment, "securityContext", contexts)
        _maybe_set(random, deployment, "podSecurityContext", contexts)
        spec["declarative"]["deployment"] = random.choice((None, {}, _shuffle(random, deployment)))
    if random.random() < 0.4:
        spec["type"] = "Declarative"
    spec["declarative"] = _shuffle(random, spec["declarative"])
    resource = {"apiVersion": "kagent.dev/v1alpha2", "kind": "SandboxAgent", "metadata": _make_metadata(random)}
    return _shuffle(random, {**resource, "spec": _shuffle(random, spec)})


def _make_container(random: Random, contexts: list[Any]) -> dict[str, Any]:
    container: dict[str, Any] = {"name": random.choice("abc"), "image": random.choice(IMAGES)}
    _maybe_set(random, container, "securityContext", contexts)
    if random.random() < 0.4:
        container["command"] = random.choice((["sh", "-c", random.choice(LONG)], [], [["nested"], [1, None]]))
    if random.random() < 0.3:
        container["env"] = [{"name": "A", "value": random.choice(TEXTS)}]
    return _shuffle(random, container)


def _maybe_set(random: Random, mapping: dict[str, Any], key: str, contexts: list[Any]) -> None:
    if random.random() < 0.5:
        mapping[key] = random.choice(contexts)


def _shuffle(random: Random, mapping: dict[str, Any]) -> dict[str, Any]:
    if random.random() < 0.5:
        return mapping
    keys = list(mapping)
    random.shuffle(keys)
    return {key: mapping[key] for key in keys}


class Writer:
    """Writes values as YAML in a style of its own; what varies inside a document is drawn anew each time."""

    def __init__(self, random: Random, *, anchors: bool = False, comments: bool | None = None) -> None:
        self.random = random
        self.step = random.choice((2, 2, 2, 3, 4))
        self.sequence_step = random.choice((0, 0, self.step))
        self.comments = random.random() < 0.4 if comments is None else comments
        self.quoting = random.choice((0.0, 0.1, 0.9))
        self.flow_share = random.choice((0.0, 0.1, 0.4))
        self.explicit_share = random.choice((0.0, 0.0, 0.05))
        self.anchors = anchors
        self.known: list[tuple[str, Any]] = []
        self.count = 0

    def chance(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    # Scalars

    def scalar(self, value: Any, *, flow: bool = False) -> str:
        if value is None:
            return self.random.choice(NULLS[2:] if flow else NULLS)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        plain = value.isascii() and re.sub("[-.:/]", "", value).isalnum()
        plain = plain and value not in ("true",) and not value.startswith("-")
        if plain and not self.chance(self.quoting):
            return str(value)
        if "\n" not in value and self.chance(0.4):
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=self.chance(0.3) and value.isascii())

    def comment(self, head: str = "") -> str:
        if not self.comments or not self.chance(0.2):
            return ""
        tab = " " if head.strip() in ("-", ":") else "\t"  # no parser accepts a tab behind these
        return self.random.choice(("  # note", " # it's: {", f"{tab}# tab"))

    # Flow style

    def flow(self, value: Any) -> str:
        if self.anchors and value in [known for _, known in self.known] and isinstance(value, (dict, list)) and value:
            return next(f"*{name}" for name, known in self.known if known == value) + " "
        comma = self.random.choice((", ", ",", " , ", ",\n     "))
        trailing = "," if value and self.chance(0.1) else ""
        if isinstance(value, dict):
            colon = self.random.choice((": ", ": ", ":  "))
            pairs = [self.scalar(key) + colon + self.flow(item) for key, item in value.items()]
            return "{" + comma.join(pairs) + trailing + self.random.choice(("}", " }"))
        if isinstance(value, list):
            return "[" + comma.join(self.flow(item) for item in value) + trailing + "]"
        return self.scalar(value, flow=True)

    # Block style: lines without line breaks

    def block(self, value: Any, column: int) -> list[str]:
        lines: list[str] = []
        if isinstance(value, dict):
            for key, item in value.items():
                lines += self.decoration(column)
                lines += self.pair(" " * column + self.scalar(key), item, column)
            return lines
        for item in value:
            lines += self.decoration(column)
            lines += self.entry(item, column)
        return lines

    def decoration(self, column: int) -> list[str]:
        if self.comments and self.chance(0.15):
            return [
                self.random.choice((" " * column + "# note", "", "# at the margin: [", " " * (column + 2) + "# deep"))
            ]
        return []

    def entry(self, item: Any, column: int) -> list[str]:
        dash = " " * column + "-"
        if isinstance(item, (dict, list)) and item and not self.chance(self.flow_share):
            gap = self.random.choice((1, 1, 1, 3))
            inner = self.block(item, column + 1 + gap)
            if inner[0].strip() and not inner[0].lstrip().startswith("#") and not self.chance(0.1):
                return [dash + " " * gap + inner[0].lstrip(), *inner[1:]]
            return [dash + self.comment("-"), *inner]
        return self.inline(dash, item, column + 1)

    def pair(self, key: str, value: Any, column: int) -> list[str]:
        if self.chance(self.explicit_share):
            head = " " * column + "? " + key.lstrip()
            return [head + self.comment(), *self.pair_value(" " * column + ":", value, column)]
        blank = self.random.choice(("", "", "", " ")) if self.chance(0.2) else ""
        return self.pair_value(key + blank + ":", value, column)

    def pair_value(self, head: str, value: Any, column: int) -> list[str]:
        if not (isinstance(value, (dict, list)) and value) or self.chance(self.flow_share):
            return self.inline(head, value, column)
        known = [name for name, item in self.known if item == value]
        if self.anchors and known:
            return [f"{head} *{self.random.choice(known)}{self.comment()}"]
        mark = ""
        if self.anchors and self.chance(0.6):
            self.count += 1
            mark = f" &a{self.count}"
        step = self.step if isinstance(value, dict) else self.sequence_step
        lines = [head + mark + self.comment(head), *self.merged(value, column + step)]
        if mark:
            self.known.append((mark[2:], value))
        return lines

    def merged(self, value: Any, column: int) -> list[str]:
        """A mapping that holds all of an anchored one may merge it."""
        if isinstance(value, dict) and self.anchors and self.chance(0.5):
            for name, known in self.known:
                if isinstance(known, dict) and known and known.items() <= _Comparable(value).items():
                    rest = {key: item for key, item in value.items() if key not in known}
                    return [" " * column + f"<<: *{name}", *self.block(rest, column)]
        return self.block(value, column)

    def inline(self, head: str, value: Any, column: int) -> list[str]:
        if isinstance(value, str) and "\n" in value and not self.chance(0.2):
            return self.literal(head, value, column)
        if isinstance(value, (dict, list)):
            text = self.flow(value).replace("\n", "\n" + " " * column)
            return (head + " " + text + self.comment()).split("\n")
        text = self.scalar(value)
        if text and self.chance(0.05) and not (value == "" or str(value).startswith("#")):
            return [head, " " * (column + 2) + "# own line", " " * (column + 2) + text + self.comment()]
        if not text:
            return [head + self.comment(head)]
        return [
            head
            + self.random.choice(
                (" ", " ", " ", "  ", "\t" if head.strip() not in (":", "-") and head.endswith(":") else " ")
            )
            + text
            + self.comment(head)
        ]

    def literal(self, head: str, value: str, column: int) -> list[str]:
        body = value.rstrip("\n")
        breaks = len(value) - len(body)
        chomp = "-" if breaks == 0 else "" if breaks == 1 and body else "+"
        lines = body.split("\n") if body else []
        hint = str(self.step) if body.startswith(("\n", " ")) else ""
        lines = [" " * (column + self.step) + line if line else "" for line in lines]
        if hint:  # an indentation hint counts from the parent's column, which differs in sequences: quote instead
            return [head + " " + json.dumps(value, ensure_ascii=False)]
        return [head + " |" + chomp + self.comment(), *lines, *[""] * (breaks - 1)]


class _Comparable(dict[str, Any]):
    """A mapping whose items need not be hashable to be compared."""

    def items(self) -> Any:
        return _Items(super().items())


class _Items:
    def __init__(self, pairs: Any) -> None:
        self.pairs = list(pairs)

    def __ge__(self, other: Any) -> bool:
        return all(pair in self.pairs for pair in other)


def write_document(random: Random, value: Any, *, anchors: bool = False) -> str:
    """Write a value as one document, in any style."""
    form = random.choice(("block", "block", "block", "block", "flow", "json"))
    writer = Writer(random, anchors=anchors)
    if form == "json":
        indent = random.choice((None, 2, 4, "\t"))
        separators = random.choice(((",", ":"), (", ", ": "))) if indent is None else None
        text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    elif form == "flow":
        text = writer.flow(value)
    else:
        text = "\n".join(writer.block(value, 0))
    text += random.choice(("\n", "\n", "\n", "", "\n\n", "\n# the end\n"))
    if random.random() < 0.2:
        text = text.replace("\n", "\r\n")
    return text


TOKENS = (
    b"---\n", b"...\n", b"&a ", b"*a", b"<<: *a\n", b"? ", b": ", b"- ", b"# ", b"|\n", b">-\n", b"!!str ", b"!x ",
    b"{", b"}", b"[", b"]", b",", b"'", b'"', b"\n", b"\r", b"\r\n", b"\t", b"  ", b"\x00", b"\xff", b"\xef\xbb\xbf",
    b"\xc2\x85", b"\xe2\x80\xa8", b"null", b"~", b"%YAML 1.1\n", b"securityContext:\n", b"runAsUser: 0\n",
    b"containers: ", b"kind: Sandbox\n", b"\\", b"\xf0\x9f\x9a\x80", b"",
)  # fmt: skip
"""What a mutation puts in: all that means something to a YAML parser, and what no parser accepts."""


def mutate(random: Random, data: bytes) -> bytes:
    """Damage a stream in a few places."""
    for _ in range(random.choice((1, 1, 2, 4))):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice((0, 0, 1, 2, 10)))
        token = random.choice(TOKENS)
        if random.random() < 0.2:
            other = random.randint(0, len(data))
            token = data[other : other + random.randint(1, 40)]
        if random.random() < 0.4:  # at a line's end or beginning, where it hurts
            start = end = data.find(b"\n", start) + random.randint(0, 1)
        data = data[:start] + token + data[end:]
    return data


SEPARATORS = (
    "---\n",
    "---\n",
    "---\n# Source: chart/templates/x.yaml\n",
    "--- # here: [\n",
    "---\t\n",
    "---   \n",
    "---\r\n",
    "...\n---\n",
    "... # end\n# between\n---\n",
    "...\n%YAML 1.1\n---\n",
    "# nothing\n---\n",
    "---\n---\n",
)
OTHERS = (
    "apiVersion: v1\nkind: ConfigMap\ndata:\n  text: |\n    kind: Sandbox\n    --- no marker\n",
    "apiVersion: other.dev/v1\nkind: Sandbox\nspec: {}\n",
    "# kind: Sandbox\n# only a comment\n",
    "",
    "just text\n",
    '{"apiVersion": "v1", "kind": "Secret"}\n',
)
BROKEN = ("a: [\n", "{{ .Values.x }}: {{ y }}\n", "a: b: c\n", "\tx: *nobody\n", "'\n")


def write_stream(random: Random, *, anchors: bool = False, broken: bool = False) -> tuple[str, int]:
    """Write a stream; returns it and how many resources of known kinds are in it."""
    pieces: list[str] = [random.choice(("", "", "---\n", "# first\n", "%YAML 1.1\n---\n", "\n\n---\n"))]
    resources = 0
    for index in range(random.randint(1, 5)):
        if index:
            if pieces[-1] and not pieces[-1].endswith("\n"):
                pieces.append("\n")
            pieces.append(random.choice(SEPARATORS))
        if random.random() < 0.6:
            pieces.append(write_document(random, make_resource(random), anchors=anchors))
            resources += 1
        else:
            pieces.append(random.choice(OTHERS + BROKEN if broken else OTHERS))
    return "".join(pieces), resources
