"""Argo CD's config management plugin: what an application asks for, rendered by the sidecar's own helm and kustomize.

Everything in the repository and in the parameters is hostile. What executes, and which hosts may be asked, is said by
the operator, in the sidecar's environment.
"""
