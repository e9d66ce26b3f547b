"""Places of the settings that contradict each other."""

import pytest

from entrepot.config.consistency import find_contradictions
from entrepot.config.document import read_document
from entrepot.config.layering import Layers

BELOW = """\
listen: 0.0.0.0:5000
admin: 127.0.0.1:5001
registries:
  registry.k8s.io: {aliases: [k8s.gcr.io], mirrors: [https://registry.k8s.io]}
  docker.io: {mirrors: [https://registry-1.docker.io]}
"""


def contradictions(above: str) -> list[str]:
    layers = Layers()
    layers.lay(read_document("below", BELOW))
    layers.lay(read_document("f", above))
    return [str(problem) for problem in find_contradictions(layers)]


def test_good_settings_have_none() -> None:
    above = "hosts: {k8s.lan: k8s.gcr.io}\nlisten: ['[::]:5000', {address: '0.0.0.0:5000'}]\n"
    assert contradictions("") == contradictions(above) == []


@pytest.mark.parametrize(
    ("above", "told"),
    [
        (
            "registries:\n  q.io: {aliases: [q1, q1], mirrors: [https://q]}\n",
            'f:2: registries["q.io"].aliases[1]: is an alias of q.io already (value "q1")',
        ),
        (
            "registries:\n  q.io: {aliases: [k8s.gcr.io], mirrors: [https://q]}\n",
            (
                'f:2: registries["q.io"].aliases[0]: is an alias of registry.k8s.io already'
                ' (value "k8s.gcr.io")'
            ),
        ),
        (
            "registries:\n  q.io: {aliases: [docker.io], mirrors: [https://q]}\n",
            (
                'f:2: registries["q.io"].aliases[0]: is itself a registry here,'
                ' so it cannot be an alias (value "docker.io")'
            ),
        ),
        (
            "registries:\n  k8s.gcr.io: {mirrors: [https://q]}\n",
            (
                'f:2: registries["k8s.gcr.io"]: is an alias of registry.k8s.io:'
                " write its mirrors there"
            ),
        ),
        (
            "hosts:\n  k8s.lan: k8s.gcr.oi\n",
            (
                'f:2: hosts["k8s.lan"]: is not among the registries'
                ' (value "k8s.gcr.oi"; did you mean k8s.gcr.io?)'
            ),
        ),
        (
            "listen:\n  - {address: 'a:1', registry: zzz}\n",
            'f:2: listen[0].registry: is not among the registries (value "zzz")',
        ),
        (
            "listen: {address: 'a:1', registry: zzz}\n",
            'f:1: listen.registry: is not among the registries (value "zzz")',
        ),
        (
            "listen:\n  - a:1\n  - {host: a, port: 1, registry: docker.io}\n",
            "f:3: listen[1]: a:1 is taken already, by listen[0]",
        ),
        (
            "listen:\n  - 0.0.0.0:1\n  - 127.0.0.1:1\n",
            'f:3: listen[1]: 127.0.0.1:1 is taken already, by listen[0] (value "127.0.0.1:1")',
        ),
        (
            "admin: 127.0.0.1:5000\n",
            'f:1: admin: 127.0.0.1:5000 is taken already, by listen (value "127.0.0.1:5000")',
        ),
        (
            "registries:\n  q.io:\n    mirrors:\n      - https://q\n      - {url: 'https://q/x'}\n",
            (
                'f:5: registries["q.io"].mirrors[1]: q is the name of another mirror here:'
                " give this one its own `name`"
            ),
        ),
    ],
)
def test_contradiction_is_told_where_the_user_wrote_it(above: str, told: str) -> None:
    assert contradictions(above) == [told]


def test_any_free_port_may_be_asked_for_twice() -> None:
    assert contradictions("listen: ['127.0.0.1:0', '127.0.0.1:0']\n") == []


def test_same_mirror_twice_under_two_names_is_fine() -> None:
    mirrors = "[{url: 'https://q', name: a}, {url: 'https://q', name: b}]"
    assert contradictions(f"registries: {{q.io: {{mirrors: {mirrors}}}}}\n") == []


@pytest.mark.parametrize(
    "above",
    [
        "registries: 5\n",
        "registries: {q.io: 5}\n",
        "registries: {q.io: {aliases: 5, mirrors: 5}}\n",
        "registries: {q.io: {aliases: [5], mirrors: [5, null, {url: 5}, {name: 5}, {}]}}\n",
        "hosts: 5\n",
        "hosts: {a: [b]}\n",
        "listen: [5, null, {address: 5}, {registry: [5]}]\n",
        "admin: {x: y}\n",
    ],
)
def test_wrong_forms_are_left_to_others(above: str) -> None:
    assert contradictions(above) == []


def test_what_is_kept_is_of_a_registry_that_is_served() -> None:
    keep = "cache: {keep: ['K8S.gcr.io/pause:*', 'docker.io/*', {kubernetes: v1.30.5}, 7, nginx]}\n"
    assert contradictions(keep) == []
    assert contradictions("cache:\n  keep:\n  - docker.oi/library/*\n  - zz.top/a\n") == [
        (
            "f:3: cache.keep[0]: docker.oi is not among the registries, but docker.io is"
            ' (value "docker.oi/library/*")'
        ),
        'f:4: cache.keep[1]: zz.top is not among the registries (value "zz.top/a")',
    ]


def test_images_fetched_ahead_are_of_registries_that_are_served() -> None:
    fine = "prefetch:\n- {at: '1:00', images: ['k8s.gcr.io/pause:3.9', 7]}\n- 7\n"
    assert contradictions(fine) == []
    [found] = contradictions("prefetch:\n- {at: '1:00', images: ['docker.oi/library/a:1']}\n")
    assert "prefetch[0].images[0]: docker.oi is not among the registries, but docker.io is" in found
