"""Plugins: found by entry point, used when named, asked in that order, and validated at the door.

The built-in kinds enter through the same door.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pluggy

from postrenderer import hookspecs, kinds
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
            raise Refused(f"plugin {self.manager.get_name(error.plugin)}: {error}") from None
        self._callers = {name: self._find_callers(name) for name in self._order}
        self.kinds = self._ask_kinds()

    def _register(self, name: str, plugin: Any) -> None:
        try:
            self.manager.register(plugin, name=name)
        except ValueError:
            raise Refused(
                f"plugin {name} is named twice, or is another one's second name: name each plugin once"
            ) from None
        except pluggy.PluginValidationError as error:
            raise Refused(f"plugin {name}: {error}") from None

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
        try:
            answer = caller(**arguments)
        except Refused:
            raise
        except Exception as error:
            raise Refused(f"plugin {name}, hook {hook}: {type(error).__name__}: {error}") from error
        if isinstance(answer, list) and hook != "image_identity":
            return answer[0] if answer else None
        return answer

    def _ask_kinds(self) -> dict[tuple[str, str], Kind]:
        found: dict[tuple[str, str], tuple[str, Kind]] = {}
        for name in self._order:
            answer = self._call(name, "kinds")
            if answer is None:
                continue
            if not isinstance(answer, list) or not all(isinstance(kind, Kind) for kind in answer):
                raise Refused(f"plugin {name}, hook kinds: must return a list of Kind, but returned {answer!r}")
            for kind in answer:
                other, _ = found.setdefault((kind.group, kind.kind), (name, kind))
                if other != name:
                    raise Refused(
                        f"plugins {other} and {name} both know the kind {kind.kind}.{kind.group}: name one of them"
                    )
        return {key: kind for key, (_, kind) in found.items()}

    @property
    def kind_names(self) -> list[str]:
        """The kinds' names, for the byte search."""
        return sorted({kind.kind for kind in self.kinds.values()})

    def ask_image(self, image: ImageReference) -> Identity | None:
        """The first plugin's answer about an image."""
        for name in self._order:
            answer = self._call(name, "image_identity", image=image)
            if answer is None:
                continue
            if not isinstance(answer, Identity):
                raise Refused(
                    f"plugin {name}, hook image_identity: must return an Identity or None, but returned {answer!r}"
                )
            return answer
        return None

    def ask_additions(self, workload: Workload, settings: Settings) -> list[Addition]:
        """Every plugin's further additions for a workload."""
        found: list[Addition] = []
        for name in self._order:
            answer = self._call(name, "additions", workload=workload, settings=settings)
            if answer is None:
                continue
            if not isinstance(answer, list) or not all(map(_is_addition, answer)):
                raise Refused(
                    f"plugin {name}, hook additions: must return a list of Addition (of booleans, integers, strings), "
                    f"but returned {answer!r}"
                )
            found.extend(
                Addition(addition.path, addition.key, addition.value, addition.origin or f"plugin {name}")
                for addition in answer
            )
        return found


def _is_addition(value: Any) -> bool:
    return (
        isinstance(value, Addition)
        and isinstance(value.key, str)
        and isinstance(value.value, (bool, int, str))
        and isinstance(value.path, tuple)
        and all(isinstance(step, (str, int)) for step in value.path)
    )


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
        near = difflib.get_close_matches(name, available, n=1)
        hint = f"did you mean {near[0]}?" if near else f"installed are: {', '.join(sorted(available)) or 'none'}"
        raise Refused(f"plugin {name} is not installed; {hint}")
    if len(candidates) > 1:
        owners = " and ".join(owner for owner, _ in candidates)
        raise Refused(f"plugin {name} comes from {owners}: uninstall one of them")
    try:
        return candidates[0][1]()
    except Exception as error:
        raise Refused(f"plugin {name} cannot be loaded: {type(error).__name__}: {error}") from error
