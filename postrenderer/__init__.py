"""State the runtime identity of Sandbox pods while their manifests are rendered."""

__version__ = "0.1.0"
