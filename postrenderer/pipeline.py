"""The one function of the library: bytes and settings in, bytes and findings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postrenderer.identity import (
    Decision,
    decide,
    extend_decision,
    find_containers_without_identity,
    find_unknown_containers,
)
from postrenderer.images import resolve_identity
from postrenderer.model import (
    Addition,
    Change,
    Container,
    Finding,
    Identity,
    Image,
    Kind,
    Location,
    Refused,
    Remark,
    Resource,
    Settings,
    Workload,
)
from postrenderer.plugins import Plugins
from postrenderer.remarks import remark_decision
from postrenderer.resources import find_resources
from postrenderer.stream import Buffer, Document, find_candidates, find_documents, find_encoding_problem
from postrenderer.wording import describe_container, format_place
from postrenderer.yaml import BrokenYaml, Insertion, Tree, YamlError, insert_pairs, load_tree

if TYPE_CHECKING:
    from postrenderer.lock import LockFile

WORTH_A_FORK = 256 * 1024
"""From so many bytes of candidates on, a second process saves more than it costs."""

SKIP_ANNOTATION = "sandbox-postrenderer.io/skip"


@dataclass(slots=True)
class Result:
    """What became of a stream: its pieces (slices of the input, and edited documents), and what there is to report.

    `failures` are the policies that are not met: where there are any, nothing may be emitted.
    """

    pieces: list[Buffer | memoryview]
    findings: list[Finding] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    decisions: list[tuple[Workload, Decision]] = field(default_factory=list)
    resources: int = 0
    additions: int = 0
    edited: int = 0
    """To how many of the resources something was added."""


def render(
    data: Buffer,
    settings: Settings,
    plugins: Plugins,
    *,
    source: str = "standard input",
    is_file: bool = False,
    has_places: bool = True,
    keep_changes: bool = False,
    keep_decisions: bool = False,
    with_notes: bool = True,
    lock: LockFile | None = None,
) -> Result:
    """Post-render a stream. With `keep_changes`, the result holds each edited document before and after, with
    `keep_decisions` it holds the workloads to which the rule applies, and what was decided about each.
    Without `with_notes`, findings that are notes are left out: where nobody reads them, that saves their time. A file
    (`is_file`) may be an unrendered Helm template; it is then copied. Without `has_places` nobody sees the stream, and
    findings name no document and no line. Raises `Refused` for input that is not sound, in a sentence that says where.
    """
    check_input(data, settings, source)
    check_kinds(settings, plugins)
    run = _Run(data, settings, plugins, source, is_file, keep_changes, keep_decisions, with_notes, lock)
    run.has_places = has_places
    return run.render()


def read_workloads(
    data: Buffer, settings: Settings, plugins: Plugins, *, source: str = "standard input", is_file: bool = False
) -> Iterator[Workload | Finding]:
    """Yield the workloads of a stream to which the rule applies, in order; a finding where it cannot be read at all.

    Raises `Refused` where `render` does.
    """
    check_input(data, settings, source)
    check_kinds(settings, plugins)
    yield from _Run(data, settings, plugins, source, is_file).read_workloads()


def check_input(data: Buffer, settings: Settings, source: str) -> None:
    """Refuse a stream that is too large or no UTF-8."""
    if len(data) > settings.max_input:
        raise Refused(f"{source}: larger than {settings.max_input} bytes; raise the limit with --max-input BYTES")
    encoding = find_encoding_problem(data)
    if encoding:
        raise Refused(f"{source}: is {encoding}; convert it to UTF-8")


def check_kinds(settings: Settings, plugins: Plugins) -> None:
    """Refuse a name in `only-kind` or `skip-kind` that no loaded kind has: it is surely misspelt."""
    known = {name for kind in plugins.kinds.values() for name in (kind.kind, f"{kind.kind}.{kind.group}")}
    for option, names in (("only-kind", settings.only_kind), ("skip-kind", settings.skip_kind)):
        for name in names:
            if name not in known:
                raise Refused(f"{option}: no kind is called {name}; there are {', '.join(sorted(known))}")


@dataclass(slots=True)
class _Share:
    """What became of some of the documents: for each that was edited its borders and its new text; and all the rest."""

    edits: list[tuple[int, int, bytes]]
    result: Result


class _NotRenderedError(Exception):
    """The file is a Helm template."""


class _Run:
    """One stream on its way: what does not change from document to document, and the answers about images so far."""

    def __init__(
        self,
        data: Buffer,
        settings: Settings,
        plugins: Plugins,
        source: str,
        is_file: bool,
        keep_changes: bool = False,
        keep_decisions: bool = False,
        with_notes: bool = False,
        lock: LockFile | None = None,
    ) -> None:
        self.data = data
        self.settings = settings
        self.plugins = plugins
        self.source = source
        self.is_file = is_file
        self.keep_changes = keep_changes
        self.keep_decisions = keep_decisions
        self.with_notes = with_notes
        self.lock = lock
        self.has_places = True
        self.wanted = [kind for kind in plugins.kinds.values() if _is_wanted(kind, settings)]
        self.identities: dict[Image | None, Identity] = {}
        self.result = Result([])

    def read_workloads(self) -> Iterator[Workload | Finding]:
        for document in self._find_documents():
            location = self._locate(document)
            resource: Resource | None = None
            try:
                tree = self._load(document, location)
                if tree is None:
                    continue
                _refuse_glued_marker(tree)
                for resource, kind in find_resources(tree, location, self.plugins.kinds):
                    if kind in self.wanted and not (self.settings.honor_skip and is_skipped(resource)):
                        workload = self._read(resource, kind)
                        if isinstance(workload, Workload):
                            yield workload
                    resource = None
            except _NotRenderedError:
                yield self._find_template("passed over; render the chart and pipe its output in")
                return
            except YamlError as error:
                raise _refuse(location, resource, error) from None

    def _find_documents(self) -> Iterator[Document]:
        return find_documents(self.data, find_candidates(self.data, self.plugins.kind_names))

    def _locate(self, document: Document) -> Location:
        if not self.has_places:
            return Location(self.source, None, None)
        return Location(document.source or self.source, document.number, document.line)

    def render(self) -> Result:
        documents = list(self._find_documents())
        try:
            shares = self._render_shares(documents)
        except _NotRenderedError:
            return self._copy_template()
        return self._join(shares)

    def _render_shares(self, documents: list[Document]) -> list[_Share]:
        size = sum(document.end - document.start for document in documents)
        # A plugin is promised to be asked once for each image, and may hold what does not survive a fork.
        # Decisions hold their document's events, which would cost more on their way back than a fork saves.
        if size < WORTH_A_FORK or self.plugins.has_named or self.keep_decisions:
            return [self._render_documents(documents)]
        from postrenderer.forks import count_cores, map_shares

        return map_shares(self._render_documents, documents, count_cores())

    def _render_documents(self, documents: Sequence[Document]) -> _Share:
        self.result = Result([])
        edits = []
        for document in documents:
            text = self._render_document(document)
            if text is not None:
                edits.append((document.start, document.end, text.encode()))
        return _Share(edits, self.result)

    def _join(self, shares: list[_Share]) -> Result:
        view = memoryview(self.data)
        copied = 0
        joined = Result([])
        for share in shares:
            for start, end, text in share.edits:
                joined.pieces += (view[copied:start], text)
                copied = end
            joined.findings += share.result.findings
            joined.failures += share.result.failures
            joined.changes += share.result.changes
            joined.decisions += share.result.decisions
            joined.resources += share.result.resources
            joined.additions += share.result.additions
            joined.edited += share.result.edited
        joined.pieces.append(view[copied:])
        return joined

    def _copy_template(self) -> Result:
        return Result([self.data], [self._find_template("copied; render the chart and pipe its output in")])

    def _find_template(self, what_becomes_of_it: str) -> Finding:
        message = f"is a Helm template that was not rendered: {what_becomes_of_it}"
        return Finding("template-not-rendered", "warning", message, source=self.source)

    def _render_document(self, document: Document) -> str | None:
        """The document's new text; None where it stays as it is."""
        location = self._locate(document)
        tree = self._load(document, location)
        if tree is None:
            return None
        additions: list[Addition] = []
        resource: Resource | None = None
        edited: Resource | None = None
        try:
            _refuse_glued_marker(tree)
            for resource, kind in find_resources(tree, location, self.plugins.kinds):
                found = self._render_resource(resource, kind)
                if found:
                    additions.extend(found)
                    edited = resource
                    self.result.edited += 1
                resource = None  # what is wrong with the next item of a List is not this one's fault
            if edited is None:
                return None
            resource = edited
            inserted = insert_pairs(tree, [Insertion(item.path, item.key, item.value) for item in additions])
        except YamlError as error:
            raise _refuse(location, resource, error) from None
        self.result.additions += len(additions)
        if inserted.written_out:
            self._report([_remark_written_out(inserted.written_out)], edited)
        if self.keep_changes:
            self.result.changes.append(Change(document.start, document.line, tree.text, inserted.text))
        return inserted.text

    def _load(self, document: Document, location: Location) -> Tree | None:
        try:
            tree = load_tree(_decode(self.data, document))
        except BrokenYaml as error:
            if self.data.find(b"{{", document.start, document.end) >= 0:
                if self.is_file:
                    raise _NotRenderedError from None
                error.message += "; it looks like a Helm template: render the chart, and pipe its output in"
            raise _refuse(location, None, error) from None
        except YamlError as error:
            raise _refuse(location, None, error) from None
        if self.is_file and tree is not None and _is_template(tree):
            raise _NotRenderedError
        return tree

    def _read(self, resource: Resource, kind: Kind) -> Workload | Remark:
        workload = kind.read(resource, self.settings)
        if self.is_file and isinstance(workload, Workload) and _has_template_as_image(workload):
            raise _NotRenderedError
        return workload

    def _render_resource(self, resource: Resource, kind: Kind) -> tuple[Addition, ...]:
        settings = self.settings
        if kind not in self.wanted:
            return ()
        self.result.resources += 1
        if settings.honor_skip and is_skipped(resource):
            self._skip(resource, kind)
            return ()
        workload = self._read(resource, kind)
        if isinstance(workload, Remark):
            self._report([workload], resource)
            return ()
        decision = decide(workload, self._identify, settings)
        further = self.plugins.ask_additions(workload, settings)
        if further:
            decision = extend_decision(workload, decision, further, settings)
        self._report(remark_decision(workload, decision, settings, with_notes=self.with_notes), resource)
        self._check_strict(workload, decision.additions)
        if self.keep_decisions:
            self.result.decisions.append((workload, decision))
        if settings.unknown_image == "fail":
            for container in find_unknown_containers(decision):
                self._fail(resource, container, "has no identity, and nobody knows its image (unknown-image: fail)")
        return decision.additions

    def _skip(self, resource: Resource, kind: Kind) -> None:
        message = f"is skipped by its annotation {SKIP_ANNOTATION}: left alone"
        self._report([Remark("skipped-by-annotation", "note", message, resource.node.line)], resource)
        if self.settings.strict:
            workload = self._read(resource, kind)
            if not isinstance(workload, Remark):
                self._check_strict(workload, (), "strict; it is skipped by its annotation")

    def _identify(self, image: Image | None) -> Identity:
        known = self.identities.get(image)
        if known is None:
            known = self.identities[image] = resolve_identity(image, self.settings, self.plugins.ask_image, self.lock)
        return known

    def _check_strict(self, workload: Workload, additions: tuple[Addition, ...], policy: str = "strict") -> None:
        if self.settings.strict:
            for container in find_containers_without_identity(workload, additions, self.settings):
                self._fail(workload.resource, container, f"has no runtime identity ({policy})")

    def _fail(self, resource: Resource, container: Container, why: str) -> None:
        location = resource.location
        line = location.find_line(container.context.line or container.line)
        where = format_place(location.source, location.document, resource.id, line)
        self.result.failures.append(f"{where}: {describe_container(container)} {why}")

    def _report(self, remarks: Iterable[Remark], resource: Resource) -> None:
        location = resource.location
        self.result.findings.extend(
            Finding(
                remark.id,
                remark.level,
                remark.message,
                resource.id,
                location.source,
                location.document,
                location.find_line(remark.line),
                remark.path,
                remark.field,
                remark.value,
                remark.origin,
            )
            for remark in remarks
            if self.with_notes or remark.level != "note"
        )


def _decode(data: Buffer, document: Document) -> str:
    try:
        return str(memoryview(data)[document.start : document.end], "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", document.start, document.start + error.start) + 1
        raise YamlError(f"the byte {error.object[error.start]:#04x} is not UTF-8: convert the file", line) from None


def _is_template(tree: Tree) -> bool:
    # `image: {{ .Values.image }}` is YAML: a mapping whose key is a mapping. No resource has such a key.
    return "{{" in tree.text and any(tree.text.startswith("{{", event.start_mark.index) for event in tree.events)


def _has_template_as_image(workload: Workload) -> bool:
    # `image: "{{ .Values.image }}"` is YAML, and a string. Elsewhere `{{` may be meant, as in an agent's prompt.
    return any(container.image is not None and "{{" in container.image.reference for container in workload.containers)


def _refuse_glued_marker(tree: Tree) -> None:
    """`---apiVersion: v1` is no border: kubectl and kustomize refuse it, and here it would hide a resource."""
    if tree.root.is_mapping:
        for key, pairs in tree.mapping(0).pairs.items():
            if key.startswith("---"):
                raise YamlError(
                    "the marker `---` is glued to what follows: put a line break behind it", tree.line(pairs[0].key)
                )


def _refuse(location: Location, resource: Resource | None, error: YamlError) -> Refused:
    line = location.find_line(error.line)
    place = format_place(location.source, location.document, resource.id if resource else None, line)
    return Refused(f"{place}: {error.message}", line)


def _is_wanted(kind: Kind, settings: Settings) -> bool:
    names = {kind.kind, f"{kind.kind}.{kind.group}"}
    if names & set(settings.skip_kind):
        return False
    return not settings.only_kind or bool(names & set(settings.only_kind))


def is_skipped(resource: Resource) -> bool:
    value = resource.node.scalar("metadata", "annotations", SKIP_ANNOTATION)
    return value is True or value == "true"


def _remark_written_out(lines: list[int]) -> Remark:
    message = (
        "what is shared through an alias or a merge key stood in the way of what was added: "
        "it was written out there, so that nothing else that reads it changes"
    )
    return Remark("re-emitted", "warning", message, lines[0])
