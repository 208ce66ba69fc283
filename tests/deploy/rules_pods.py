"""Rules of pods: what they may do, what they may write, and whether they fit."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.overlays import Overlay, Pod

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
HEAD_GIB, NODE_GIB, REPLICA_GIB, ACTOR_GIB = 1.0, 0.55, 0.65, 0.5
"""Measured under load: all of a head with Serve's controller; of another node Ray's own, HAProxy and its manager; a
replica (617 MB); a driver or a shard of a run of 300,000 firms (500 and 350 MB)."""
SUFFICIENT = 1.25
"""How much more than measured a limit must leave."""


def of_bytes(quantity: str) -> float:
    """A quantity of memory."""
    unit = quantity[-2:]
    return float(quantity.removesuffix(unit)) * UNITS[unit] if unit in UNITS else float(quantity)


def confined(found: Overlay) -> Iterator[str]:
    """No pod runs as root, writes to its image or may become more than it is."""
    for pod in found.pods():
        person, account = pod.spec.get("securityContext", {}), pod.spec.get("automountServiceAccountToken")
        if not person.get("runAsNonRoot") or person.get("runAsUser", 0) == 0:
            yield f"{pod.owner}: may run as root"
        if person.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.owner}: has no seccomp profile"
        if account is not False and not pod.head:  # the autoscaler beside a head asks the API server
            yield f"{pod.owner}: holds a token of the API server"
        for container in pod.spec["containers"]:
            yield from _confined(pod.owner, container.get("securityContext", {}))
    for owner, cluster in found.clusters():
        yield from _confined(f"{owner} autoscaler", cluster["autoscalerOptions"].get("securityContext", {}))


def _confined(owner: str, context: Mapping[str, Any]) -> Iterator[str]:
    if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{owner}: may become more than it is"
    if not context.get("readOnlyRootFilesystem"):
        yield f"{owner}: may write to its image"


def writable(found: Overlay) -> Iterator[str]:
    """What is written has a volume: /tmp a bounded one, /data the claim that all nodes share."""
    claims = {one["metadata"]["name"] for one in found.of("PersistentVolumeClaim")}
    for pod in found.pods():
        volumes = {one["name"]: one for one in pod.spec.get("volumes", [])}
        mounts = {one["mountPath"]: volumes.get(one["name"], {}) for one in pod.container.get("volumeMounts", [])}
        if "sizeLimit" not in mounts.get("/tmp", {}).get("emptyDir", {}):
            yield f"{pod.owner}: has no bounded /tmp"
        if pod.of_ray and mounts.get("/data", {}).get("persistentVolumeClaim", {}).get("claimName") not in claims:
            yield f"{pod.owner}: has no /data"
        for name in {one["name"] for one in pod.container.get("volumeMounts", [])} - volumes.keys() - _templates(found):
            yield f"{pod.owner}: there is no volume {name}"
    modes = {mode for one in found.of("PersistentVolumeClaim") for mode in one["spec"]["accessModes"]}
    if found.name != "dev" and modes != {"ReadWriteMany"}:
        yield "PersistentVolumeClaim/carbonray-data: nodes cannot share it"


def _templates(found: Overlay) -> set[str]:
    return {
        claim["metadata"]["name"] for one in found.of("StatefulSet") for claim in one["spec"]["volumeClaimTemplates"]
    }


def memory(found: Overlay) -> Iterator[str]:
    """Limits are what is asked for, and hold what was measured and the object store."""
    for pod in found.pods():
        asked, limit = (pod.container["resources"].get(name, {}).get("memory") for name in ("requests", "limits"))
        if asked is None or limit is None or (pod.of_ray and asked != limit):
            yield f"{pod.owner}: memory asked for and its limit must be given, and be the same on a node of Ray"
        elif pod.of_ray:
            needed = SUFFICIENT * needed_gib(pod) * UNITS["Gi"] + float(
                pod.group["rayStartParams"]["object-store-memory"]
            )
            if of_bytes(limit) < needed:
                yield f"{pod.owner}: {limit} are less than the {needed / UNITS['Gi']:.1f} Gi that were measured"


def needed_gib(pod: Pod) -> float:
    """What the processes of a node take."""
    if pod.head:
        return HEAD_GIB + ACTOR_GIB  # a driver
    if pod.labels["app.kubernetes.io/component"] == "service":
        return NODE_GIB + REPLICA_GIB
    return NODE_GIB + ACTOR_GIB * int(pod.group["rayStartParams"]["num-cpus"])


def devices(found: Overlay) -> Iterator[str]:
    """GPUs are asked for where Ray is told of them, on nodes that have them; who needs one finds one."""
    for pod in found.pods():
        limits = pod.container["resources"].get("limits", {})
        told = pod.group.get("rayStartParams", {}).get("num-gpus", "0")
        if limits.get("nvidia.com/gpu", "0") != told:
            yield f"{pod.owner}: Ray is told of {told} GPUs, and {limits.get('nvidia.com/gpu', '0')} are asked for"
        tolerated = {one["key"] for one in pod.spec.get("tolerations", [])}
        if told != "0" and "nvidia.com/gpu" not in tolerated:
            yield f"{pod.owner}: is kept away from nodes with GPUs"
    for job in found.of("RayJob"):
        groups = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
        asked = "--gpus-per-learner" in job["spec"]["entrypoint"]
        if asked and not any("num-gpus" in group["rayStartParams"] for group in groups):
            yield f"RayJob/{job['metadata']['name']}: asks for GPUs that its cluster never has"
