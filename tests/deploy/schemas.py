"""What objects may say: Kubernetes' own schemas, and KubeRay's 1.7.0 with unknown fields closed."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from deploy.overlays import Overlay

KUBERNETES = "1.29"
"""The version that must know every field."""
GOLDEN = Path(__file__).parents[1] / "golden" / "kuberay-1.7.0.json"
"""Fields of KubeRay's kinds and their types, derived from its definitions (Apache-2.0)."""
CORE = (
    "template",
    "submitterPodTemplate",
    "headService",
    "serveService",
    "env",
    "envFrom",
    "securityContext",
    "networkPolicy",
)
"""Parts that are Kubernetes' own kinds; pods are held against its schemas."""
ELSEWHERE = ("monitoring.coreos.com/v1",)
"""Kinds whose schemas are not here; rules.py looks at what matters of them."""


def faults(found: Overlay) -> Iterator[str]:
    """What no API server would take, or would drop without a word."""
    for one in found.objects:
        if one["apiVersion"] == "ray.io/v1":
            yield from _of(_ray, f"{one['kind']}/{one['metadata']['name']}", one)
        elif one["apiVersion"] not in ELSEWHERE:
            yield from _of(_core, f"{one['kind']}/{one['metadata']['name']}", one)
    for pod in found.pods():
        yield from _of(_core, pod.owner, {"apiVersion": "v1", "kind": "PodTemplate", "template": pod.template})
    for service in found.of("RayService"):
        api = {"apiVersion": "v1", "kind": "Service", **service["spec"]["serveService"]}
        yield from _of(_core, "serveService", api)


def _of(check: Callable[[str], tuple[str, ...]], name: str, one: Mapping[str, Any]) -> Iterator[str]:
    for fault in check(json.dumps(one)):  # what was looked at before is not looked at again
        yield f"{name}: {fault}"


@cache
def _core(content: str) -> tuple[str, ...]:
    try:
        kubernetes_validate.validate(json.loads(content), KUBERNETES, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return (str(error),)
    return ()


@cache
def _ray(content: str) -> tuple[str, ...]:
    one, golden = json.loads(content), json.loads(GOLDEN.read_text())
    found = jsonschema.Draft202012Validator(golden[one["kind"]]).iter_errors(one)
    return tuple(f"{error.json_path}: {error.message}" for error in found)


def closed(schema: Any, name: str = "", *, core: bool = False) -> Any:
    """A definition as jsonschema takes it: unknown fields refused; Kubernetes' own parts left open unless asked for.

    What is described, defaulted or checked by an API server alone is left out.
    """
    if name in CORE and not core:
        return {"type": schema["type"]}
    kept = {key: schema[key] for key in ("type", "enum", "required", "minimum", "maximum") if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "properties" in schema:
        kept["properties"] = {key: closed(value, key, core=core) for key, value in schema["properties"].items()}
        kept["additionalProperties"] = False
    elif "additionalProperties" in schema:
        kept["additionalProperties"] = closed(schema["additionalProperties"], core=core)
    if "items" in schema:
        kept["items"] = closed(schema["items"], core=core)
    return kept


def definition(file: Path, *, core: bool = False) -> tuple[str, Any]:
    """Kind and closed schema of a custom resource's definition in its version v1; the status is nobody's to write."""
    told = yaml.safe_load(file.read_text())
    (version,) = [one for one in told["spec"]["versions"] if one["name"] == "v1"]
    schema = closed(version["schema"]["openAPIV3Schema"], core=core)
    schema["properties"]["metadata"] = {"type": "object"}
    schema["properties"].pop("status")
    return told["spec"]["names"]["kind"], schema
