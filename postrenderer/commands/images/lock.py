"""`images lock`: write down whom the images of manifests run as, keep that up to date, or check that it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from postrenderer.commands.images.access import access_options, make_access
from postrenderer.commands.images.progress import Progress
from postrenderer.commands.images.wording import describe_entry, format_change, warn_about
from postrenderer.console import say, write_output
from postrenderer.files import write_file
from postrenderer.lock import LockEntry, LockFile, load_lock
from postrenderer.model import PolicyFailure, Refused
from postrenderer.options import capability_options, setting_options, verbosity_options
from postrenderer.session import Session, open_session

if TYPE_CHECKING:
    from postrenderer.lock.collect import Wanted
    from postrenderer.lock.plan import Change, Plan
    from postrenderer.model import Workload
    from postrenderer.registry import Access

DEFAULT_FILE = "images.lock.yaml"
WORKLOAD_PLUGINS = ("workloads", "kagent_agent")
"""What `--all-kinds` stands for, as far as it is installed."""


@click.command(name="lock", short_help="Write the lock file: whom the images of manifests run as.")
@click.argument("files", nargs=-1, metavar="[FILE|IMAGE]...")
@click.option("-o", "--output", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="The lock file.")
@click.option(
    "--update", is_flag=True, help="Ask again about the IMAGEs, or about all; without FILEs, those in the file."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where the file is out of date.")
@click.option("--offline", is_flag=True, help="Check, and ask no registry: compare the file with the manifests.")
@click.option("--all-kinds", is_flag=True, help="Also the images of Deployments and all other workloads.")
@access_options
@setting_options("kagent-version", "only-kind", "skip-kind", "honor-skip", "max-input")
@capability_options("config", "plugin", "locked")
@verbosity_options
def command(
    files: tuple[str, ...], output: str, update: bool, check: bool, offline: bool, all_kinds: bool, **options: Any
) -> None:
    """Write down whom the images of manifests run as, for `render --image-lock`.

    Reads the FILEs or directories, or standard input (`-`); registries are asked about images that the lock file lacks,
    and entries that nothing uses are removed. With --update, an argument that is no FILE is an IMAGE to ask about
    again. Nothing is written where an image that the file lacks cannot be resolved.
    """
    check = check or offline
    if update and check:
        raise click.UsageError("--update and --check (or --offline) exclude each other")
    if output == "-" and (update or check):
        raise click.UsageError("--update and --check need a file: name it with --output")
    access = {name: options.pop(name) for name in ("mirrors", "plain_http", "registry_ca", "platforms")}
    problems: list[str] = []
    with open_session(options) as session:
        session.report = None  # findings are those of a rendering
        run = _Run(session, output, access)
        if check:
            problems = run.check(run.read_lock(), run.collect(files, all_kinds=all_kinds), offline=offline)
        elif update:
            run.update(files, all_kinds=all_kinds)
        else:
            lock = run.read_lock() if os.path.isfile(output) else LockFile(output)
            run.write(lock, run.collect(files, all_kinds=all_kinds), again=())
    if problems:
        raise PolicyFailure("\n".join(problems))  # here, since a session would add the findings of a rendering


class _Run:
    """One call of the command."""

    def __init__(self, session: Session, output: str, access: dict[str, Any]) -> None:
        self.session = session
        self.output = output
        self.access = access

    def say(self, message: str, color: str | None = None) -> None:
        if not self.session.quiet:
            say(message, color)

    def read_lock(self) -> LockFile:
        if not os.path.exists(self.output):
            raise Refused(f"{self.output}: does not exist: write it with `images lock MANIFESTS -o {self.output}`")
        return load_lock(self.output)

    def collect(self, files: tuple[str, ...], *, all_kinds: bool) -> list[Wanted]:
        """The images of the manifests."""
        from postrenderer.lock.collect import collect_images

        session = self.session
        plugins = _choose_plugins(session.capabilities.plugins, all_kinds)
        session.capabilities = replace(session.capabilities, plugins=plugins, image_lock=None)
        workloads: list[Workload] = []
        is_blank = True
        for item, found in session.read_workloads(session.read_inputs(files, with_directories=True)):
            is_blank = is_blank and not item.data.strip()
            workloads.extend(found)
        if is_blank and not files:
            # An empty pipe is a mistake upstream, and no reason to remove every entry.
            raise Refused("standard input is empty: pipe manifests in, or name files or directories")
        for finding in session.findings:
            self.say(f"warning: {finding.source}: {finding.message}", "yellow")
        collected = collect_images(workloads)
        for reference, used_by in collected.derived:
            self.say(f"note: {reference} ({used_by}) has kagent's own version: passed over without --kagent-version")
        return list(collected.wanted)

    def update(self, arguments: tuple[str, ...], *, all_kinds: bool) -> None:
        from postrenderer.lock.collect import want_entry, want_image

        lock = self.read_lock()
        files = tuple(each for each in arguments if each == "-" or os.path.exists(each))
        images = [each for each in arguments if each not in files]
        wanted = self.collect(files, all_kinds=all_kinds) if files else [want_entry(entry) for entry in lock.entries]
        named = [(image, want_image(image)) for image in images]
        for image, each in named:
            if not _select(wanted, each):
                where = "the FILEs" if files else self.output
                raise Refused(f"{image}: is no file, and no image of {where}: correct it, or name the manifests")
        again = [each for _, one in named for each in _select(wanted, one)] if images else wanted
        self.write(lock, wanted, again=again)

    def write(self, lock: LockFile, wanted: Sequence[Wanted], again: Iterable[Wanted]) -> None:
        """Ask about what is missing and what is to be asked again, and write the file where that changes it."""
        from postrenderer.lock.format import format_lock
        from postrenderer.lock.plan import compare_entries, make_plan, merge_entries

        plan = make_plan(lock, wanted)
        repeated = {each.key for each in again}
        answers, failures = self.ask([*plan.missing, *(each for each in plan.present if each.key in repeated)])
        if any(each.key in failures for each in plan.missing):
            raise Refused("\n".join(failures.values()))
        entries = merge_entries(lock, answers, {entry.key for entry in plan.unused})
        text = format_lock(entries).encode()
        if self.output == "-":
            write_output([text])
        elif tuple(lock.entries) != entries or not os.path.exists(self.output):
            write_file(self.output, [text])
        self.tell_changes(compare_entries(lock.entries, entries), answers)
        self.tell_end(len(entries))
        if failures:
            kept = f"; its entry in {self.output} stays as it was"
            raise Refused("\n".join(f"{message}{kept}" for message in failures.values()))

    def ask(self, wanted: Sequence[Wanted]) -> tuple[list[LockEntry], dict[tuple[str, str], str]]:
        """Ask registries: the entries, and what failed, by key."""
        if not wanted:
            return [], {}
        from datetime import datetime, timezone

        from postrenderer.lock.ask import make_entry, resolve_all
        from postrenderer.registry import RegistryError

        access: Access = make_access(**self.access)
        today = datetime.now(timezone.utc).date().isoformat()
        progress = Progress(len(wanted), quiet=self.session.quiet)
        answers: dict[int, LockEntry] = {}
        failed: dict[int, str] = {}
        try:
            for number, resolved in resolve_all([each.image for each in wanted], access):
                each = wanted[number]
                try:
                    if isinstance(resolved, BaseException):
                        raise resolved
                    answers[number] = make_entry(each, resolved, access, today)
                    progress.advance(each.image, describe_entry(answers[number]))
                except RegistryError as error:
                    failed[number] = f"{error.message}{f' (used by {each.used_by})' if each.used_by else ''}"
                    progress.advance(each.image, "failed")
        finally:
            progress.finish()
        return (
            [answers[number] for number in sorted(answers)],
            {wanted[number].key: failed[number] for number in sorted(failed)},
        )

    def tell_changes(self, changes: Iterable[Change], answers: Iterable[LockEntry]) -> None:
        for change in changes:
            self.say(format_change(change), "yellow" if change.before and change.user_differs else None)
        for entry in answers:
            warning = warn_about(entry)
            if warning:
                self.say(f"warning: {warning}", "yellow")

    def tell_end(self, count: int) -> None:
        self.say(f"{self.output}: {count} image{'' if count == 1 else 's'}")

    def check(self, lock: LockFile, wanted: Sequence[Wanted], *, offline: bool) -> list[str]:
        """What is out of date, a line each. A digest that moved, with the same user, is only said."""
        from postrenderer.lock.plan import compare_entries, make_plan, merge_entries

        plan = make_plan(lock, wanted)
        answers, failures = ([], {}) if offline else self.ask(plan.present)
        problems = _list_problems(plan, self.output)
        for change in compare_entries(lock.entries, merge_entries(lock, answers, ())):
            line = format_change(change)
            if change.user_differs:
                problems.append(f"{line}: run `images lock --update {change.reference} -o {self.output}`")
            else:
                self.say(f"note: {line}")
        if failures:
            raise Refused("\n".join([*problems, *failures.values()]))
        if not problems:
            self.say(f"{self.output} is up to date")
        return problems


def _choose_plugins(named: tuple[str, ...], all_kinds: bool) -> tuple[str, ...]:
    if not all_kinds:
        return named
    from postrenderer.plugins import find_plugins

    available = find_plugins()
    return (*named, *(name for name in WORKLOAD_PLUGINS if name in available and name not in named))


def _select(wanted: Iterable[Wanted], image: Wanted) -> list[Wanted]:
    """What an IMAGE on the command line means: the reference with any digest, or with its own."""
    return [each for each in wanted if each.reference == image.reference and image.digest in ("", each.digest)]


def _list_problems(plan: Plan, output: str) -> list[str]:
    missing = [
        f"{each.image}: is missing from {output} (used by {each.used_by}): run `images lock`" for each in plan.missing
    ]
    unused = [f"{entry.reference}: is in {output}, but nothing uses it: run `images lock`" for entry in plan.unused]
    return missing + unused
