"""Plugins: found by entry point, used when named, asked in that order, and validated at the door.

The built-in kinds enter through the same door.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pluggy

from postrenderer import hookspecs, kinds
from postrenderer.doors import check_additions, check_identity, check_kinds, guard
from postrenderer.images import ImageReference
from postrenderer.model import Addition, Identity, Kind, Refused, Settings, Workload

ENTRY_POINT_GROUP = "sandbox_postrenderer"
BUILT_IN = ("sandbox", "sandbox_agent", "sandbox_template")


class Plugins:
    """The plugins of one run: the built-in kinds first, then those that were named, in that order."""

    def __init__(self, named: Sequence[tuple[str, Any]] = ()) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        built_in = [(name, importlib.import_module(f"{kinds.__name__}.{name}")) for name in BUILT_IN]
        self._order = [name for name, _ in (*built_in, *named)]
        for name, plugin in (*built_in, *named):
            self._register(name, plugin)
        try:
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise Refused(
                f"plugin {self.manager.get_name(error.plugin)}: {_flatten(error)}; the hooks are {_list_hooks()}"
            ) from None
        self._callers = {name: self._find_callers(name) for name in self._order}
        self.kinds = self._ask_kinds()

    def _register(self, name: str, plugin: Any) -> None:
        if getattr(plugin, "__hash__", None) is None:
            raise Refused(
                f"plugin {name} is a {type(plugin).__name__}: let its entry point lead to a module or an object"
            )
        if self.manager.has_plugin(name):
            raise Refused(f"plugin {name} has the name of a built-in one: rename its entry point")
        if self.manager.is_registered(plugin):
            other = self.manager.get_name(plugin)
            raise Refused(f"plugins {other} and {name} are one and the same: name one of them")
        try:
            self.manager.register(plugin, name=name)
        except pluggy.PluginValidationError as error:
            raise Refused(f"plugin {name}: {_flatten(error)}") from None
        if not self.manager.get_hookcallers(plugin):
            raise Refused(f"plugin {name} has no hook: mark its functions with hookimpl; the hooks are {_list_hooks()}")

    def _find_callers(self, name: str) -> dict[str, Callable[..., Any]]:
        plugin = self.manager.get_plugin(name)
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        return {
            hook.name: self.manager.subset_hook_caller(hook.name, others)
            for hook in self.manager.get_hookcallers(plugin) or []
        }

    def _call(self, name: str, hook: str, **arguments: Any) -> Any:
        """One plugin's answer to a hook; None where it has none."""
        caller = self._callers[name].get(hook)
        if caller is None:
            return None
        with guard(name, hook):
            answer = caller(**arguments)
        if hook != "image_identity":  # of these pluggy makes a list, of one answer at most here
            return answer[0] if answer else None
        return answer

    def _ask_kinds(self) -> dict[tuple[str, str], Kind]:
        found: dict[tuple[str, str], tuple[str, Kind]] = {}
        for name in self._order:
            for kind in check_kinds(name, self._call(name, "kinds"), trusted=name in BUILT_IN):
                key = kind.group, kind.kind
                if key in found:
                    other = found[key][0]
                    who = f"plugins {other} and {name} both know" if other != name else f"plugin {name} gives twice"
                    raise Refused(f"{who} the kind {kind.kind}.{kind.group}: one of them has to go")
                found[key] = name, kind
        return {key: kind for key, (_, kind) in found.items()}

    @property
    def has_named(self) -> bool:
        """Tell whether there are others than the built-in kinds."""
        return len(self._order) > len(BUILT_IN)

    @property
    def kind_names(self) -> list[str]:
        """The kinds' names, for the byte search."""
        return sorted({kind.kind for kind in self.kinds.values()})

    def ask_image(self, image: ImageReference) -> Identity | None:
        """The first plugin's answer about an image; one without a UID is none."""
        for name in self._order:
            answer = check_identity(name, self._call(name, "image_identity", image=image))
            if answer is not None:
                return answer
        return None

    def ask_additions(self, workload: Workload, settings: Settings) -> list[Addition]:
        """Every plugin's further additions for a workload."""
        found: list[Addition] = []
        for name in self._order:
            answer = self._call(name, "additions", workload=workload, settings=settings)
            found.extend(check_additions(name, answer, workload))
        return found


def _flatten(error: Exception) -> str:
    return " ".join(str(error).split())


def _list_hooks() -> str:
    return ", ".join(hookspecs.HOOKS)


def load_plugins(names: Sequence[str]) -> Plugins:
    """Load the plugins that are named: those of this package, and those that other packages register.

    Raises `Refused` for a name that nobody has, or that two have.
    """
    if not names:
        return Plugins()
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"plugin {name} is named twice: name it once")
    available = find_plugins()
    return Plugins([(name, _load(name, available)) for name in names])


def find_plugins() -> dict[str, list[tuple[str, Callable[[], Any]]]]:
    """Find what can be named: for each name where it comes from, and how to load it."""
    import pkgutil
    from importlib import metadata

    from postrenderer import contrib

    found: dict[str, list[tuple[str, Callable[[], Any]]]] = {}
    for module in pkgutil.iter_modules(contrib.__path__):
        load = _importer(f"{contrib.__name__}.{module.name}")
        found.setdefault(module.name, []).append(("sandbox-postrenderer", load))
    for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        owner = entry_point.dist.name if entry_point.dist else entry_point.value
        found.setdefault(entry_point.name, []).append((owner, entry_point.load))
    return found


def _importer(module: str) -> Callable[[], Any]:
    return lambda: importlib.import_module(module)


def _load(name: str, available: dict[str, list[tuple[str, Callable[[], Any]]]]) -> Any:
    candidates = available.get(name, [])
    if not candidates:
        import difflib

        near = difflib.get_close_matches(name, available, n=1)
        hint = f"did you mean {near[0]}?" if near else f"installed are: {', '.join(sorted(available)) or 'none'}"
        raise Refused(f"plugin {name} is not installed; {hint}")
    if len(candidates) > 1:
        owners = " and ".join(owner for owner, _ in candidates)
        raise Refused(f"plugin {name} comes from {owners}: uninstall one of them")
    with guard(name, None):
        return candidates[0][1]()
