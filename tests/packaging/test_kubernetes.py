"""The DaemonSet against the types that the Kubernetes API has, as its own Python client declares them."""

from __future__ import annotations

import copy
import re

import pytest
import yaml
from kubernetes.client import models

from boot import ROOT

SCALARS = {"str": str, "int": int, "bool": bool, "object": (str, int)}


def check(kind: str, value, where: str) -> None:
    """Every key is one that this type has, nothing that it requires is missing, every value is of its type."""
    if of := re.fullmatch(r"list\[(\w+)\]", kind):
        assert isinstance(value, list), where
        for number, each in enumerate(value):
            check(of[1], each, f"{where}[{number}]")
    elif of := re.fullmatch(r"dict\(str, (\w+)\)", kind):
        for key, each in value.items():
            check(of[1], each, f"{where}.{key}")
    elif kind in SCALARS:
        assert isinstance(value, SCALARS[kind]) and isinstance(value, bool) == (kind == "bool"), f"{where}: no {kind}"
    else:
        model = getattr(models, kind)
        names = {ours: its for its, ours in model.attribute_map.items()}
        assert not set(value) - set(names), f"{where}: {kind} has no such key"
        for key, each in value.items():
            check(model.openapi_types[names[key]], each, f"{where}.{key}")
        try:
            model(**{names[key]: each for key, each in value.items()})
        except ValueError as missing:
            raise AssertionError(f"{where}: {missing}") from None


def check_manifest(documents: list[dict]) -> None:
    for each in documents:
        versions = {"v1": "V1", "apps/v1": "V1"}
        check(versions[each["apiVersion"]] + each["kind"], each, each["kind"])


def manifest() -> list[dict]:
    return list(yaml.safe_load_all((ROOT / "packaging/kubernetes/daemonset.yaml").read_text()))


def test_the_manifest_is_of_the_api():
    assert [each["kind"] for each in manifest()] == ["ConfigMap", "DaemonSet"]
    check_manifest(manifest())


def wrong(change) -> list[dict]:
    documents = copy.deepcopy(manifest())
    change(documents[1]["spec"]["template"]["spec"])
    return documents


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod.update(hostPIDs=True),
        lambda pod: pod.update(hostPID="yes"),
        lambda pod: pod["containers"][0].pop("name"),
        lambda pod: pod["containers"][0]["ports"][0].update(containerPort="10911"),
        lambda pod: pod["containers"][0]["securityContext"]["capabilities"].update(add="BPF"),
    ],
    ids=["unknown", "not of its type", "missing", "in a list", "no list"],
)
def test_what_is_not_of_the_api_is_found(change):
    with pytest.raises(AssertionError):
        check_manifest(wrong(change))
