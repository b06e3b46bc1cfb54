"""What a kustomization may name: files and directories of the repository, and nothing that would have to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrenderer.hosts.argocd.kustomize import MAX_FILE, MAX_KUSTOMIZATIONS, check_kustomizations
from postrenderer.hosts.argocd.request import Request
from postrenderer.model import Refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name in ("app", "base", "component"):
        (root / name).mkdir(parents=True)
    (root / "base" / "kustomization.yaml").write_text("resources: [one.yaml]\n")
    (root / "base" / "one.yaml").write_text("kind: ConfigMap\n")
    (root / "component" / "kustomization.yaml").write_text("kind: Component\n")
    for name in ("one.yaml", "patch.yaml", "data.txt"):
        (root / "app" / name).write_text("")
    (root / "app" / "function.yaml").write_text(
        "apiVersion: x/v1\nkind: X\nmetadata: {annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n"
    )
    (root / "app" / "builtin.yaml").write_text("apiVersion: builtin\nkind: PrefixTransformer\nprefix: a-\n")
    (root / "outside").symlink_to(tmp_path)
    # Named by a path that leads over the link, these stand elsewhere for those who follow it first.
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "b" / "base").mkdir()
    (root / "a" / "b" / "base" / "kustomization.yaml").write_text("")
    (tmp_path / "tenant").mkdir()
    (root / "app" / "deep").symlink_to("../a/b/c")
    (root / "app" / "{apiVersion: builtin,\n kind: X}").write_text("")
    (root / "app" / "a@b:c\n").mkdir()
    aliases = "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(20))
    (root / "app" / "bomb.yaml").write_text(f"apiVersion: builtin\nkind: X\na0: &a0 [x, x]\n{aliases}path: https://x\n")
    return root


def check(root: Path, text: str, *hosts: str) -> None:
    (root / "app" / "kustomization.yaml").write_text(text)
    check_kustomizations(Request("", "", "", (), "", str(root / "app"), str(root)), hosts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "resources: [one.yaml, ../base]\nbases: [../base]\ncomponents: [../component]\n",
        "patches: [{path: patch.yaml}, {patch: '[{op: add, path: /a, value: https://x}]', target: {kind: X}}]\n",
        "patchesStrategicMerge:\n- patch.yaml\n- |\n  kind: X\n  metadata: {name: https://x}\n",
        "patchesJson6902: [{path: patch.yaml, target: {kind: X}}]\nreplacements: [{path: patch.yaml}]\n",
        "configMapGenerator: [{name: a, files: [data.txt, b=data.txt], envs: [data.txt], literals: ['U=https://x']}]\n",
        "secretGenerator: [{name: a, env: data.txt}]\n",
        'transformers: [builtin.yaml, "{apiVersion: builtin, kind: LabelTransformer, metadata: {name: a}}"]\n',
        "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, files: [x=data.txt]}']\n",
        "crds: [one.yaml]\nconfigurations: [one.yaml]\nopenapi: {path: one.yaml}\n",
        "commonAnnotations: {url: https://example.com}\nimages: [{name: example.com/a, newName: b}]\n",
    ],
)
def test_what_stays_inside(root: Path, text: str) -> None:
    check(root, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources: [https://127.0.0.1/x.yaml]\n", "'https://127.0.0.1/x.yaml' is no file or directory of the repo"),
        ("resources: ['http://127.0.0.1:1/x']\n", "and is not fetched: put it there"),
        ("resources: ['github.com/org/repo//path?ref=v1']\n", "is not fetched"),
        ("resources: ['git@127.0.0.1:org/repo']\n", "is not fetched"),
        ("resources: ['git::https://127.0.0.1/x']\n", "is not fetched"),
        ("resources: ['file:///etc/passwd']\n", "is not fetched"),
        ("resources: ['ssh://127.0.0.1/x']\n", "is not fetched"),
        ("bases: [127.0.0.1/x]\n", "app/kustomization.yaml: bases: '127.0.0.1/x' is no file or directory"),
        ("components: [https://127.0.0.1/x]\n", "app/kustomization.yaml: components: "),
        ("Resources: [https://127.0.0.1/x]\n", "line 1: `Resources` has to be written as `resources`"),
        ("re\u017fources: [https://127.0.0.1/x]\n", "has to be written as `resources`"),
        ("resources: [one.yaml]\nresources: [https://127.0.0.1/x]\n", "the key `resources` stands twice"),
        ("resources: [../../..]\n", "is no file or directory of the repository"),
        ("resources: [../outside]\n", "is no file or directory of the repository"),
        ("resources: [/etc/passwd]\n", "is no file or directory of the repository"),
        ("resources: [../app/missing]\n", "is not fetched"),
        ("resources: [..]\n", ".: has no kustomization.yaml"),
        ("patches: [{path: https://127.0.0.1/x}]\n", "patches: 'https://127.0.0.1/x' is no file"),
        ("patches: [{Path: https://127.0.0.1/x}]\n", "`Path` has to be written as `path`"),
        ("patches: [https://127.0.0.1/x]\n", "must be a mapping"),
        ("patchesStrategicMerge: [https://127.0.0.1/x]\n", "patchesStrategicMerge: "),
        ("patchesJson6902: [{path: https://127.0.0.1/x}]\n", "patchesJson6902: "),
        ("replacements: [{path: https://127.0.0.1/x}]\n", "replacements: "),
        ("crds: [https://127.0.0.1/x]\n", "crds: "),
        ("configurations: [https://127.0.0.1/x]\n", "configurations: "),
        ("openapi: {path: https://127.0.0.1/x}\n", "openapi: "),
        ("configMapGenerator: [{files: [https://127.0.0.1/x]}]\n", "configMapGenerator: 'https://127.0.0.1/x'"),
        ("configMapGenerator: [{files: ['a=https://127.0.0.1/x']}]\n", "configMapGenerator: 'https://127.0.0.1/x'"),
        ("secretGenerator: [{envs: [https://127.0.0.1/x]}]\n", "secretGenerator: "),
        ("secretGenerator: [{env: /etc/passwd}]\n", "secretGenerator: '/etc/passwd' is no file"),
        ("helmCharts: [{name: a, repo: https://127.0.0.1}]\n", "helmCharts runs helm inside kustomize"),
        ("HelmCharts: [{name: a}]\n", "has to be written as `helmCharts`"),
        ("helmChartInflationGenerator: [{chartName: a}]\n", "helmChartInflationGenerator runs helm"),
        ("transformers: [function.yaml]\n", "app/function.yaml: has the annotation config.kubernetes.io/function"),
        ("validators: [function.yaml]\n", "functions are never run here"),
        ("generators: [function.yaml]\n", "functions are never run here"),
        ("generators: [https://127.0.0.1/x]\n", "is not fetched"),
        ("transformers: ['{apiVersion: x/v1, kind: X, metadata: {name: a}}']\n", "X is no plugin of kustomize's own"),
        (
            "transformers:\n- |\n  apiVersion: builtin\n  kind: PatchTransformer\n  path: https://127.0.0.1/x\n",
            "is an address",
        ),
        (
            "transformers:\n- |\n  apiVersion: builtin\n  kind: ReplacementTransformer\n  replacements: [{path: https://x}]\n",
            "is an add",
        ),
        (
            "generators:\n- |\n  apiVersion: builtin\n  kind: SecretGenerator\n  files: ['a=https://x']\n",
            "is an address",
        ),
        (
            "generators:\n- |\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator\n",
            "runs helm inside kustomize",
        ),
        ("generators:\n- |\n  kind: List\n  apiVersion: v1\n  items: []\n", "List is no plugin"),
        (
            "transformers:\n- |\n  apiVersion: builtin\n  kind: X\n  ---\n  apiVersion: x/v1\n  kind: Z\n",
            "Z is no plugin",
        ),
        ("transformers: [../base]\n", "transformers: '../base' is a directory: name the files in it"),
        ("!!binary cmVzb3VyY2Vz: [https://127.0.0.1/x]\n", "line 1: a tag changes what stands behind it"),
        ("resources: [!!binary b25lLnlhbWw=]\n", "line 1: a tag changes"),
        ("a: 1\n<<: {resources: [one.yaml]}\n<<: {resources: [https://127.0.0.1/x]}\n", "has two merge keys"),
        (
            "secretGenerator: [{envs: ['https://127.0.0.1/?a=data.txt']}]\n",
            "'https://127.0.0.1/?a=data.txt' is no file",
        ),
        (
            "transformers: ['{apiVersion: builtin, kind: ValueAddTransformer, targetFilePath: \"http://x\"}']\n",
            "'http://x' is an address",
        ),
        ("transformers:\n- |\n  <<: {path: https://x}\n  apiVersion: builtin\n  kind: X\n", "has no merge keys"),
        ('transformers:\n- |\n  ~\n  ---#\n  {"apiVersion":"x","kind":"Z"}\n', "Z is no plugin"),
        ("transformers:\n- |\n  ~\n  --- x\n", "`--- x` is no line between two documents"),
        ("transformers: [bomb.yaml]\n", "app/bomb.yaml: 'https://x' is an address"),
        ('transformers: ["{apiVersion: builtin,\\n kind: X}"]\n', "is also the name of a file: rename that"),
        ("#" * MAX_FILE + "\nresources: [https://127.0.0.1/x]\n", f"is larger than {MAX_FILE} bytes"),
        ('resources: ["a@b:c\\n"]\n', "is not fetched"),
        ("resources: [deep/../base]\n", "'deep/../base' is no file or directory of the repository"),
        ("resources: [deep/../../../tenant]\n", "'deep/../../../tenant' is no file or directory of the repository"),
        ("a: *b\n", "line 1: the alias"),
        ("[", "app/kustomization.yaml, line "),
        ("a: 1\n---\nb: 2\n", "app/kustomization.yaml, line "),
        ("- a\n", "must be a mapping"),
    ],
)
def test_what_leads_out(root: Path, text: str, message: str) -> None:
    with pytest.raises(Refused) as found:
        check(root, text)
    assert message in found.value.message
    assert "\n" not in found.value.message


def test_a_base_is_held_to_the_same(root: Path) -> None:
    (root / "base" / "kustomization.yaml").write_text("resources: [https://127.0.0.1/x]\n")
    with pytest.raises(Refused, match=r"^base/kustomization\.yaml: resources: "):
        check(root, "resources: [../base]\n")


@pytest.mark.parametrize("target", ["../base/kustomization.yaml", "nowhere"])
def test_of_two_kustomizations_none_is_built(root: Path, target: str) -> None:
    """kustomize passes over the one that is a link out of its directory, and takes the other."""
    (root / "app" / "Kustomization").symlink_to(target)
    with pytest.raises(Refused, match=r"^app: has kustomization\.yaml and Kustomization: keep one"):
        check(root, "resources: [one.yaml]\n")


def test_a_name_begins_no_line(root: Path) -> None:
    (root / "app" / "a\nb").mkdir()
    with pytest.raises(Refused) as found:
        check(root, 'resources: ["a\\nb"]\n')
    assert found.value.message == "app/a\\nb: has no kustomization.yaml"


def test_circles_end(root: Path) -> None:
    (root / "base" / "kustomization.yaml").write_text("resources: [../app]\n")
    check(root, "resources: [../base]\n")


def test_a_forest_is_refused(root: Path) -> None:
    for number in range(MAX_KUSTOMIZATIONS + 1):
        (root / "base" / str(number)).mkdir()
        (root / "base" / str(number) / "kustomization.yaml").write_text("")
    (root / "base" / "kustomization.yaml").write_text(f"resources: {[*map(str, range(MAX_KUSTOMIZATIONS + 1))]}\n")
    with pytest.raises(Refused, match="more than 1000 kustomizations"):
        check(root, "resources: [../base]\n")


class TestHosts:
    def test_an_allowed_host(self, root: Path) -> None:
        check(root, "resources: ['https://git.example.com/a/b?ref=v1', one.yaml]\n", "git.example.com")
        check(root, "resources: ['https://git.example.com:8443/a']\n", "git.example.com:8443")

    @pytest.mark.parametrize(
        "address",
        [
            "https://git.example.com.evil.example/a",
            "https://git.example.com@127.0.0.1/a",
            "https://user:git.example.com@127.0.0.1/a",
            "http://git.example.com/a",
            "https://git.example.com:8443/a",
            "https://127.0.0.1/git.example.com",
            "git::https://git.example.com/a",
            "ssh://git.example.com/a",
            "git.example.com/a",
            "https://git.example.com/a/b?ref=--upload-pack=x",
        ],
    )
    def test_others(self, root: Path, address: str) -> None:
        with pytest.raises(Refused, match="is not fetched"):
            check(root, f"resources: ['{address}']\n", "git.example.com")

    def test_the_message_names_the_host(self, root: Path) -> None:
        with pytest.raises(Refused, match=r"let the operator allow the host git\.example\.com"):
            check(root, "resources: ['https://git.example.com/a']\n")
