"""What no schema sees in an overlay: each rule yields what is wrong, in a line that names the object."""

import re
from collections.abc import Callable, Iterator

from deploy import rules_network, rules_pods, rules_runs
from deploy.overlays import ROOT, Overlay, environment, references

Rule = Callable[[Overlay], Iterator[str]]

SECRETS = {
    "carbonray-redis": {"password"},
    "carbonray-postgres": {"PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE"},
    "carbonray-key": {"key"},
}
"""What k8s/secrets.sh makes."""
MODES = ("K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode")
UPGRADES = ("NewCluster", "NewClusterWithIncrementalUpgrade", "None")


def project_version() -> str:
    return str(re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1])  # type: ignore[index]


def ray_version() -> str:
    return str(re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)[1])  # type: ignore[index]


# --- words that are no schema's


def known_words(found: Overlay) -> Iterator[str]:
    """Strings that are enumerations in all but their schema."""
    for job in found.of("RayJob"):
        if job["spec"].get("submissionMode", MODES[0]) not in MODES:
            yield f"RayJob/{job['metadata']['name']}: submissionMode {job['spec']['submissionMode']} is none"
    for service in found.of("RayService"):
        if service["spec"].get("upgradeStrategy", {}).get("type") not in UPGRADES:
            yield f"RayService/{service['metadata']['name']}: upgradeStrategy is none"
    for owner, cluster in found.clusters():
        if cluster["headGroupSpec"].get("serviceType", "ClusterIP") != "ClusterIP":
            yield f"{owner}: its head is reached from outside the cluster"


def sensible_numbers(found: Overlay) -> Iterator[str]:
    """Limits that are none: negative, or the smallest above the largest."""
    for owner, cluster in found.clusters():
        for group in cluster["workerGroupSpecs"]:
            if not 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]:
                yield f"{owner} {group['groupName']}: minReplicas, replicas and maxReplicas are not in order"
            if group["maxReplicas"] == 0:
                yield f"{owner} {group['groupName']}: can never have a node"
        if not cluster.get("enableInTreeAutoscaling"):
            yield f"{owner}: does not grow"
    for job in found.of("RayJob"):
        spec = job["spec"]
        for name in ("backoffLimit", "ttlSecondsAfterFinished", "preRunningDeadlineSeconds"):
            if spec.get(name, 0) < 0:
                yield f"RayJob/{job['metadata']['name']}: {name} is negative"
        if spec.get("backoffLimit", 0) < 1 or spec.get("submitterConfig", {}).get("backoffLimit", 0) < 1:
            yield f"RayJob/{job['metadata']['name']}: is not tried again"


# --- images and versions


def pinned(found: Overlay) -> Iterator[str]:
    """Images have tags that stay what they are; all nodes of Ray have the same one, of this version."""
    tags = set()
    for pod in found.pods():
        for container in [*pod.spec["containers"], *pod.spec.get("initContainers", [])]:
            name, _, tag = container["image"].rpartition(":")
            if not name or "/" in tag or tag in ("latest", "nightly"):
                yield f"{pod.owner}: image {container['image']} is not pinned"
            if pod.of_ray or "submitter" in pod.owner:
                tags.add(container["image"])
    cuda = "-cuda" if found.name in ("gpu", "production") else ""
    if {tag.rpartition(":")[2] for tag in tags} != {project_version() + cuda} or len(tags) != 1:
        yield f"nodes of Ray have other images than {project_version()}{cuda}: {', '.join(sorted(tags))}"
    for owner, cluster in found.clusters():
        if cluster["rayVersion"] != ray_version():
            yield f"{owner}: rayVersion {cluster['rayVersion']} is not that of constraints.txt"


# --- secrets


def secrets(found: Overlay) -> Iterator[str]:
    """Secrets are referenced by names that k8s/secrets.sh makes, and stand nowhere."""
    for one in found.of("Secret"):
        yield f"Secret/{one['metadata']['name']}: stands in the manifests"
    for name, key in references(found.objects):
        if name not in SECRETS or (key is not None and key not in SECRETS[name]):
            yield f"secret {name}, key {key}: nobody makes it"
    for pod in found.pods():
        for name, value in environment(pod).items():
            if value is not None and (re.search("PASSWORD|TOKEN|SECRET|KEY", name) or re.search("://[^/]*:.*@", value)):
                yield f"{pod.owner}: {name} has a secret in the open"
    for owner, cluster in found.clusters():
        if "value" in cluster.get("gcsFaultToleranceOptions", {}).get("redisPassword", {}):
            yield f"{owner}: the password of Redis stands in the open"


def guarded(found: Overlay) -> Iterator[str]:
    """Clusters ask for a token in every overlay but dev."""
    for owner, cluster in found.clusters():
        mode = cluster.get("authOptions", {}).get("mode")
        if mode != "token" and not (found.name == "dev" and mode == "disabled"):
            yield f"{owner}: asks for no token"


RULES: tuple[Rule, ...] = (
    known_words, sensible_numbers, pinned, secrets, guarded,
    rules_pods.confined, rules_pods.writable, rules_pods.memory, rules_pods.devices,
    rules_network.selected, rules_network.distinct, rules_network.denied, rules_network.ports, rules_network.watched,
    rules_network.durable, rules_runs.served, rules_runs.variables, rules_runs.entered, rules_runs.placed,
)  # fmt: skip
