"""The kind SandboxAgent of kagent: its controller makes a Sandbox, with images that follow from kagent's own version.

Facts from kagent's translator (go/core/internal/controller/translator/agent/manifest_builder.go, v0.9): `deployment`
holds the contexts; the pod's containers are `kagent`, `extraContainers` and, with skills, the init container
`skills-init`, which shares `deployment.securityContext` with `kagent`.
"""

from __future__ import annotations

from postrenderer.hookspecs import hookimpl
from postrenderer.images.version import parse_version
from postrenderer.kinds.pods import (
    find_injection,
    has_fs_group,
    has_persistent_volumes,
    read_containers,
    read_context,
)
from postrenderer.model import Container, Image, Kind, Node, Path, Remark, Resource, Settings, Workload
from postrenderer.wording import format_value

ASSUMED_VERSION = "0.9"
DEFAULT_REGISTRY = "cr.kagent.dev"
_LEFT_ALONE = "left alone: give its pods their identity by other means, such as an admission policy"
_BRANCHES = {"Declarative": "declarative", "BYO": "byo"}
_RUNTIME_IMAGES = {"python": "app", "go": "golang-adk"}


def read_sandbox_agent(resource: Resource, settings: Settings) -> Workload | Remark:
    """Read a SandboxAgent of v1alpha2, the only version whose `deployment` reaches a pod."""
    spec = resource.node.mapping("spec")
    without_effect = _find_reason_without_effect(resource, spec, settings)
    if without_effect:
        return Remark("fields-without-effect", "warning", without_effect, line=resource.node.line, path=resource.path)
    if spec is None:
        return _leave_alone(resource, "has no spec")
    kind = spec.scalar("type") if spec.get("type") is not None else "Declarative"
    name = _BRANCHES.get(kind) if isinstance(kind, str) else None
    if name is None:
        return _leave_alone(resource, f"has the type {format_value(kind)}; kagent knows Declarative and BYO")
    branch = spec.mapping(name)
    if branch is None:
        return _leave_alone(resource, f"is of type {kind}, but has no spec.{name}")
    deployment = branch.mapping("deployment")
    path = (*resource.path, "spec", name, "deployment")
    with_skills = bool(spec.sequence("skills", "refs") or spec.sequence("skills", "gitRefs"))
    return Workload(
        resource=resource,
        pod=read_context(deployment, path, "podSecurityContext"),
        containers=(
            *_find_own_containers(spec, branch, name, path, settings, with_skills=with_skills),
            *read_containers(deployment, path, "extraContainers"),
        ),
        injected_by=find_injection(
            deployment.mapping("labels") if deployment else None,
            deployment.mapping("annotations") if deployment else None,
        ),
        persistent_volumes=has_persistent_volumes(deployment),
        fs_group=has_fs_group(deployment, "podSecurityContext"),
        remarks=() if settings.kagent_version else (_assume_version(resource, with_skills),),
    )


def _find_own_containers(
    spec: Node, branch: Node, name: str, path: Path, settings: Settings, *, with_skills: bool
) -> list[Container]:
    """The containers that kagent itself puts into the pod; they share `deployment.securityContext`."""
    deployment = branch.mapping("deployment")
    context = read_context(deployment, path)
    line = (deployment or branch).line
    kagent = Container("kagent", "regular", _find_image(spec, branch, name, settings), context, line)
    if not with_skills:
        return [kagent]
    image = _derive_image("skills-init", deployment, settings, full=False)
    return [Container("skills-init", "init", image, context, line), kagent]


def _leave_alone(resource: Resource, why: str) -> Remark:
    return Remark("not-a-pod", "note", f"{why}: left alone", line=resource.node.line, path=resource.path)


def _find_reason_without_effect(resource: Resource, spec: Node | None, settings: Settings) -> str | None:
    if resource.version != "v1alpha2":
        return f"is of {resource.id.api_version}, which has no field for a security context; {_LEFT_ALONE}"
    if spec is not None and (spec.get("substrate") is not None or spec.scalar("platform") == "substrate"):
        return f"runs on the platform substrate, where a security context reaches no pod; {_LEFT_ALONE}"
    version = parse_version(settings.kagent_version) if settings.kagent_version else None
    if version is not None and (version.major, version.minor) >= (0, 10):
        return (
            f"is accepted by kagent {settings.kagent_version}, but its security context reaches no pod; {_LEFT_ALONE}"
        )
    return None


def _assume_version(resource: Resource, with_skills: bool) -> Remark:
    message = f"kagent {ASSUMED_VERSION} is assumed; say --kagent-version if the cluster runs another"
    if with_skills:
        message += " (up to 0.9.0 the image of the init container skills-init runs as root, and not as 1001)"
    return Remark("kagent-version-assumed", "note", message, line=resource.node.line, path=resource.path)


def _find_image(spec: Node, branch: Node, name: str, settings: Settings) -> Image | None:
    if name == "byo":
        image = branch.scalar("deployment", "image")
        return Image(image) if isinstance(image, str) and image else None
    runtime = branch.scalar("runtime") if branch.get("runtime") is not None else "python"
    repository = _RUNTIME_IMAGES.get(runtime) if isinstance(runtime, str) else None
    if repository is None:
        return None
    full = runtime == "go" and (spec.get("skills") is not None or branch.scalar("executeCodeBlocks") is True)
    return _derive_image(repository, branch.mapping("deployment"), settings, full=full)


def _derive_image(repository: str, deployment: Node | None, settings: Settings, *, full: bool) -> Image:
    """The reference that kagent makes of its own version; without a stated version it has no tag."""
    registry = deployment.scalar("imageRegistry") if deployment is not None else None
    if not isinstance(registry, str) or not registry:
        registry = DEFAULT_REGISTRY
    reference = f"{registry}/kagent-dev/kagent/{repository}"
    if settings.kagent_version is None:
        return Image(reference, ASSUMED_VERSION, full)
    return Image(f"{reference}:{settings.kagent_version.removeprefix('v')}{'-full' if full else ''}")


@hookimpl
def kinds() -> list[Kind]:
    return [Kind("kagent.dev", "SandboxAgent", read_sandbox_agent)]
