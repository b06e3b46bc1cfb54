"""Reading an agent of kagent: the images that its controller derives, and the pod that it makes of `deployment`.

Facts from kagent's translator (go/core/internal/controller/translator/agent: manifest_builder.go and deployments.go,
v0.9 and v0.10), which makes no difference between its kinds there: `deployment` holds the contexts; the pod's
containers are `kagent`, `extraContainers` and, with skills, the init container `skills-init`, which shares
`deployment.securityContext` with `kagent`.
"""

from __future__ import annotations

from postrenderer.images.version import Version, parse_version
from postrenderer.kinds.pods import (
    find_injection,
    has_fs_group,
    has_persistent_volumes,
    read_containers,
    read_context,
)
from postrenderer.model import Container, Image, Node, Path, Remark, Resource, Settings, Workload
from postrenderer.wording import format_value

AGENT_VERSION = "v1alpha2"
"""The only version of kagent's API whose `deployment` has security contexts."""
DEFAULT_REGISTRY = "cr.kagent.dev"
LEFT_ALONE = "left alone: give its pods their identity by other means, such as an admission policy"
_BRANCHES = {"Declarative": "declarative", "BYO": "byo"}
_SKILLS = ("refs", "gitRefs")
_RUNTIME_IMAGES = {"python": "app", "go": "golang-adk"}
_PYTHON_FULL = Version(0, 10, 0, 1, 2)
"""0.10.0-beta2: from here on agents that run code get the image `-full` also with the runtime python."""


def read_kagent_agent(resource: Resource, settings: Settings, assumed_version: str | None = None) -> Workload | Remark:
    """Read a resource whose spec is kagent's AgentSpec.

    `assumed_version` is kagent's where nobody says one. Without it the images that kagent derives are unknown then.
    """
    spec = resource.node.mapping("spec")
    if resource.version != AGENT_VERSION:
        message = f"is of {resource.id.api_version}, which has no field for a security context; {LEFT_ALONE}"
        return remark_without_effect(resource, message)
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
    version = settings.kagent_version or assumed_version
    maker = _ImageMaker(deployment, version, is_stated=settings.kagent_version is not None)
    return Workload(
        resource=resource,
        pod=read_context(deployment, path, "podSecurityContext"),
        containers=(
            *_find_own_containers(spec, branch, name, path, maker),
            *read_containers(deployment, path, "extraContainers"),
        ),
        injected_by=find_injection(
            deployment.mapping("labels") if deployment else None,
            deployment.mapping("annotations") if deployment else None,
        ),
        persistent_volumes=has_persistent_volumes(deployment),
        fs_group=has_fs_group(deployment, "podSecurityContext"),
        container_lists=((*path, "extraContainers"),),
    )


def has_skills(spec: Node) -> bool:
    """Tell whether kagent adds the init container `skills-init`."""
    return _find_skills(spec) is not None


def _find_skills(spec: Node) -> str | None:
    return next((key for key in _SKILLS if spec.sequence("skills", key)), None)


def remark_without_effect(resource: Resource, message: str) -> Remark:
    return Remark("fields-without-effect", "warning", message, line=resource.node.line, path=resource.path)


def _leave_alone(resource: Resource, why: str) -> Remark:
    return Remark("not-a-pod", "warning", f"{why}: left alone", line=resource.node.line, path=resource.path)


def _find_own_containers(spec: Node, branch: Node, name: str, path: Path, maker: _ImageMaker) -> list[Container]:
    """The containers that kagent itself puts into the pod; they share `deployment.securityContext`."""
    deployment = branch.mapping("deployment")
    context = read_context(deployment, path)
    line = (deployment or branch).line
    skills = _find_skills(spec)
    skills_from = tuple((*path[:-2], "skills", key) for key in ((skills,) if skills else _SKILLS))
    registry_from = (*path, "imageRegistry")
    if name == "byo":
        image = _read_image(deployment)
        image_from: tuple[Path, ...] = ((*path, "image"),)
    else:
        image, keys = _find_runtime_image(spec, branch, maker)
        image_from = (*((*path[:-1], key) for key in keys), registry_from)
    # Skills decide which image the runtime has, and whether another container shares its context.
    kagent = Container("kagent", "regular", image, context, line, (*image_from, *skills_from))
    if not skills:
        return [kagent]
    skills_image = maker.make("skills-init", full=False)
    return [Container("skills-init", "init", skills_image, context, line, (registry_from, *skills_from)), kagent]


def _read_image(deployment: Node | None) -> Image | None:
    image = deployment.scalar("image") if deployment is not None else None
    return Image(image) if isinstance(image, str) and image else None


def _find_runtime_image(spec: Node, branch: Node, maker: _ImageMaker) -> tuple[Image | None, tuple[str, ...]]:
    """The image of the runtime, and the keys of the branch that decide which it is."""
    version = maker.version
    with_full_python = version is not None and version >= _PYTHON_FULL
    runtime = branch.scalar("runtime") if branch.get("runtime") is not None else _find_default_runtime(version)
    repository = _RUNTIME_IMAGES.get(runtime) if isinstance(runtime, str) else None
    if repository is None:
        return None, ("runtime",)
    if runtime != "go" and not with_full_python:
        return maker.make(repository, full=False), ("runtime",)
    runs_code = spec.get("skills") is not None or branch.scalar("executeCodeBlocks") is True
    return maker.make(repository, full=runs_code), ("runtime", "executeCodeBlocks")


def _find_default_runtime(version: Version | None) -> str | None:
    """0.10 made go the default of new agents; those that were there before have kept python.

    From 0.10.0-beta2 on the images of both run as the same user, so that either will do; before, neither does.
    """
    if version is None or (version.major, version.minor) < (0, 10):
        return "python"
    return "go" if version >= _PYTHON_FULL else None


class _ImageMaker:
    """Derives references as kagent does, of its own version; without a stated version they have no tag."""

    def __init__(self, deployment: Node | None, version: str | None, *, is_stated: bool) -> None:
        registry = deployment.scalar("imageRegistry") if deployment is not None else None
        self.registry = registry if isinstance(registry, str) and registry else DEFAULT_REGISTRY
        self.text = version
        self.version = parse_version(version) if version is not None else None
        self.is_stated = is_stated

    def make(self, repository: str, *, full: bool) -> Image:
        reference = f"{self.registry}/kagent-dev/kagent/{repository}"
        if self.text is None or not self.is_stated:
            return Image(reference, self.text, full)
        return Image(f"{reference}:{self.text.removeprefix('v')}{'-full' if full else ''}")
