"""Random documents in random styles, random streams, and damaged ones: what holds of every output holds of theirs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from postrenderer.model import Refused
from postrenderer.stream import find_candidates, find_documents
from postrenderer.yaml import Insertion, YamlError, insert_pairs, load_tree
from tests.support import built_in, run
from tests.yaml.checks import check_bytes, check_result, load_values
from tests.yaml.generate import BROKEN, OTHERS, Writer, make_resource, mutate, write_document, write_stream

CORPUS = [path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").glob("*/*"))]
RANDOMS = st.integers(0, 1 << 32).map(Random)
"""Seeds: nothing is shrunk, but ten times as many documents are looked at in a second."""

GROUPS = {"agents.x-k8s.io", "extensions.agents.x-k8s.io", "kagent.dev"}
KINDS = {"Sandbox", "SandboxTemplate", "SandboxAgent"}


@given(RANDOMS)
def test_documents_get_additions_only(random: Random) -> None:
    """However a document is written: what comes out is the input, and what the findings say was added."""
    text = write_document(random, make_resource(random))
    assert check_result(text.encode()).resources == 1


@given(RANDOMS)
def test_documents_with_anchors_keep_their_meaning(random: Random) -> None:
    """Aliases and merge keys on the path are written out; the values that others read do not change."""
    text = write_document(random, make_resource(random), anchors=True)
    assert check_result(text.encode()).resources == 1


@given(RANDOMS, st.booleans())
def test_streams_get_additions_only(random: Random, anchors: bool) -> None:
    """Separators of all forms, comments, directives, and documents of other kinds come out as they went in."""
    text, resources = write_stream(random, anchors=anchors)
    try:
        load_values(text)
    except yaml.YAMLError:
        return  # an empty document before `...`, which PyYAML refuses
    assert check_result(text.encode()).resources == resources


@given(RANDOMS)
def test_broken_neighbours_are_copied(random: Random) -> None:
    """What is no candidate is never parsed, and does not get in the way."""
    text, resources = write_stream(random, broken=True)
    result = run(text)
    output = b"".join(result.pieces)
    check_bytes(text.encode(), output)
    assert result.resources == resources
    assert b"".join(run(output).pieces) == output


@given(
    st.lists(st.one_of(st.sampled_from(OTHERS + BROKEN), st.text(alphabet=" \n-.#:{}[]'\"&*!|>%abkind", max_size=60)))
)
def test_streams_without_candidates_are_copied(pieces: list[str]) -> None:
    text = "---\n".join(piece.replace("Sandbox", "Other") for piece in pieces)
    assert b"".join(run(text.encode(), max_input=1 << 20).pieces) == text.encode()


@given(RANDOMS)
def test_candidates_are_those_that_pyyaml_finds(random: Random) -> None:
    """The search by bytes misses no document whose kind PyYAML reads as one of ours, and numbers it alike."""
    text, _ = write_stream(random)
    try:
        documents = load_values(text)
    except yaml.YAMLError:
        return
    expected = {number for number, value in enumerate(documents, 1) if _is_ours(value)}
    data = text.encode()
    found = {document.number for document in find_documents(data, find_candidates(data, built_in().kind_names))}
    assert expected <= found


def _is_ours(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("apiVersion"), str):
        return False
    if value.get("kind") == "List":
        return any(_is_ours(item) for item in value["items"])
    return value["apiVersion"].partition("/")[0] in GROUPS and value.get("kind") in KINDS


@given(RANDOMS, st.booleans())
def test_damaged_streams_are_refused_or_sound(random: Random, from_corpus: bool) -> None:
    """Whatever somebody pipes in: it is refused in a sentence, or all that holds of an output holds."""
    if from_corpus:
        data = random.choice(CORPUS)
    else:
        data = write_stream(random, anchors=random.random() < 0.5, broken=True)[0].encode()
    data = mutate(random, data)
    try:
        result = run(data)
    except Refused:
        return
    output = b"".join(result.pieces)
    assert b"".join(run(output).pieces) == output
    if all(finding.id != "re-emitted" for finding in result.findings):
        check_bytes(data, output)


@given(st.binary(max_size=200), st.integers(0, 2))
def test_any_bytes(noise: bytes, place: int) -> None:
    """Noise in front of a candidate, behind it, or alone."""
    document = b"kind: Sandbox\napiVersion: agents.x-k8s.io/v1\n"
    data = (noise + document, document + noise, noise)[place]
    with suppress(Refused):
        assert b"".join(run(data).pieces) == data


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
KEYS = st.text(alphabet="abc:'\"{}#&*?-!\U0001f680 ", min_size=1, max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10
)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.data())
def test_pairs_can_be_added_to_any_mapping_of_any_json(value: dict[str, Any], data: st.DataObject) -> None:
    """The editor by itself, which knows nothing of Kubernetes: JSON in all forms, any mapping, any string as key."""
    path = data.draw(st.sampled_from(list(_find_mappings(value))))
    key = data.draw(KEYS)
    added: bool | int | str = data.draw(
        st.one_of(st.booleans(), st.integers(), st.text(alphabet="abn:'\"{}#\\\U0001f680 ~-.\t", max_size=9))
    )
    text = json.dumps(value, ensure_ascii=False, indent=data.draw(st.sampled_from((None, 1, 2, "\t"))))
    place = value
    for step in path:
        place = place[step]
    if place.get(key) is not None:
        return
    try:
        tree = load_tree(text)
    except YamlError:
        assert any(not character.isprintable() for character in text.replace("\n", ""))  # legal in JSON, not in YAML
        return
    assert tree is not None
    after = json.loads(insert_pairs(tree, [Insertion(path, key, added)]).text)
    place[key] = added
    assert after == value


def _find_mappings(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from _find_mappings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_mappings(item, (*path, index))


@given(RANDOMS)
def test_pairs_can_be_added_to_any_mapping_of_a_resource(random: Random) -> None:
    """The editor by itself on block style: several pairs in several mappings at once, nested ones among them."""
    value = make_resource(random)
    writer = Writer(random)
    text = "\n".join(writer.block(value, 0)) + random.choice(("", "\n", "\n\n"))
    paths = list(_find_mappings(value))
    chosen = random.sample(paths, min(len(paths), random.choice((1, 2, 4))))
    insertions = [Insertion((*path, "new", "inner"), f"key{index}", index) for index, path in enumerate(chosen)]
    tree = load_tree(text)
    assert tree is not None
    after = insert_pairs(tree, insertions).text
    (expected,) = load_values(text)
    for insertion in insertions:
        place = expected
        for step in insertion.path:
            if isinstance(step, str) and step not in place:
                place[step] = {}
            place = place[step]
        place[insertion.key] = str(insertion.value)
    assert load_values(after) == [expected]
    check_bytes(text.encode(), after.encode())
