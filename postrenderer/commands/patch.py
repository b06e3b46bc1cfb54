"""`patch`: what `render` would add, as patches for those whose cluster runs no program of theirs (Flux)."""

from __future__ import annotations

from typing import Any

import click

from postrenderer.console import write_output
from postrenderer.options import common_options
from postrenderer.session import open_session


@click.command(name="patch", short_help="Write what `render` would add as kustomize patches.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@common_options
def command(files: tuple[str, ...], **options: Any) -> None:
    """Write what `render` would add as patches, to be pasted where no program can run.

    The output is a mapping `patches`, as in a kustomization.yaml, in spec of a Flux Kustomization, and in
    spec.postRenderers[].kustomize of a HelmRelease. Each patch first tests what it relies on: where an image, a runtime
    or a security context has changed since, the build fails, and the patches have to be made anew.

    Reads the FILEs, or standard input. A FILE may be a directory: its YAML and JSON files, recursively.
    """
    from postrenderer.output.patch import format_patches
    from postrenderer.patches import make_patches

    with open_session(options) as session:
        inputs = session.read_inputs(files, with_directories=True)
        decisions = [each for _, result in session.render(inputs, keep_decisions=True) for each in result.decisions]
        session.check_policies()
        patches, findings = make_patches(decisions)
        session.findings += findings
        text = format_patches(patches)
        session.write_report()
        write_output([text.encode("utf-8", "surrogateescape")])
        session.print_findings(written=False)
