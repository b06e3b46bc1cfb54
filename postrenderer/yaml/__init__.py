"""YAML read with positions and edited without being rewritten. This package knows nothing of Kubernetes."""

from postrenderer.yaml.errors import BrokenYaml, YamlError
from postrenderer.yaml.insert import Inserted, Insertion, insert_pairs
from postrenderer.yaml.tree import Node, Pair, Tree, load_tree

__all__ = ["BrokenYaml", "Inserted", "Insertion", "Node", "Pair", "Tree", "YamlError", "insert_pairs", "load_tree"]
