"""Rules of what runs: the Serve config, the variables that it needs, the entry points of jobs."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from deploy.entrypoints import order_of
from deploy.overlays import ROOT, Overlay, environment, references


def serve_config(service: Mapping[str, Any]) -> dict[str, Any]:
    return dict(yaml.safe_load(service["spec"]["serveConfigV2"]))


def served(found: Overlay) -> Iterator[str]:
    """The Serve config is serve/config.yaml, but for the host and, in production, how many replicas there are."""
    wanted = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    for service in found.of("RayService"):
        name, told = f"RayService/{service['metadata']['name']}", serve_config(service)
        if told["http_options"].pop("host") != "0.0.0.0" or wanted["http_options"].pop("host") != "127.0.0.1":
            yield f"{name}: pods listen for others, a checkout for itself"
        if {told.pop("proxy_location"), wanted.pop("proxy_location")} != {"EveryNode", "HeadOnly"}:
            yield f"{name}: the service is on every node, a checkout has one"
        (one,) = (app["deployments"][0] for app in told["applications"])
        least = one.get("num_replicas") or one["autoscaling_config"]["min_replicas"]
        most = one.get("num_replicas") or one["autoscaling_config"]["max_replicas"]
        (group,) = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
        if least < 1 or group["minReplicas"] < least / one.get("max_replicas_per_node", 2):
            yield f"{name}: no replica is warm"
        if group["maxReplicas"] < most / one.get("max_replicas_per_node", 2):
            yield f"{name}: {most} replicas find no room on {group['maxReplicas']} nodes"
        if found.name == "production":
            if least < 2 or one.pop("max_replicas_per_node", None) != 1 or not one.pop("autoscaling_config", None):
                yield f"{name}: one node carries it all"
            one["num_replicas"] = 1
        if told != wanted:
            yield f"{name}: its Serve config is another than serve/config.yaml"


def variables(found: Overlay) -> Iterator[str]:
    """Nodes of the service have the variables of serve/run.sh, the store and the key."""
    script = (ROOT / "serve" / "run.sh").read_text()
    told = dict(
        re.findall(r'^export (RAY_SERVE_(?!HAPROXY_(?:CONFIG|SOCKET|SERVER|BINARY))\w+)="?([^"\n]*)"?$', script, re.M)
    )
    wanted = {name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in told.items()}
    copied = "COPY serve ./serve" in (ROOT / "cluster" / "Dockerfile").read_text()
    for pod in found.pods():
        if not pod.owner.startswith("RayService"):
            continue
        has = environment(pod)
        for name, value in wanted.items():
            if has.get(name) != value:
                yield f"{pod.owner}: {name} is not {value}, as in serve/run.sh"
        if has.get("RAY_SERVE_HAPROXY_BINARY_PATH") != "/opt/carbonray/serve/haproxy" or not copied:
            yield f"{pod.owner}: has no HAProxy that answers 503"
        if not str(has.get("CARBONRAY_STORE", "")).startswith("postgresql+psycopg://"):
            yield f"{pod.owner}: nodes do not share a store"
        if "CARBONRAY_FIRST_KEY" not in has or ("carbonray-postgres", None) not in set(references(pod.container)):
            yield f"{pod.owner}: has no key to begin with, or does not know where the store is"
        if not str(has.get("CARBONRAY_RUNS", "")).startswith("/data/"):
            yield f"{pod.owner}: runs of simulations are lost with it"


def entered(found: Overlay) -> Iterator[str]:
    """Jobs are commands that there are, with options that there are; what they leave outlives them; they wait."""
    for job in found.of("RayJob"):
        name, spec = f"RayJob/{job['metadata']['name']}", job["spec"]
        words = shlex.split(spec["entrypoint"])
        if words[:3] != ["carbonray", "jobs", "run"]:
            yield f"{name}: a retry would begin anew; enter by carbonray jobs run"
            continue
        order = order_of(tuple(words[3:]))
        if isinstance(order, str):
            yield f"{name}: {order}"
        elif not str(order.given("out")).startswith("/data/"):
            yield f"{name}: --out is lost with its cluster"
        if job["metadata"]["labels"].get("carbonray.io/job") != job["metadata"]["name"]:
            yield f"{name}: cannot be started alone"
        if not spec.get("jobId") or not spec.get("shutdownAfterJobFinishes"):
            yield f"{name}: would run twice, or stay"
        file = ROOT / "cluster" / "jobs" / f"{job['metadata']['name']}.yaml"
        if found.name == "cpu" and words[3:] != shlex.split(yaml.safe_load(file.read_text())["run"]):
            yield f"{name}: is another command than that of {file.name}"


def placed(found: Overlay) -> Iterator[str]:
    """All lies in one namespace, which lets no pod become more than it is."""
    (own,) = found.of("Namespace")
    if own["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "Namespace/carbonray: lets pods do anything"
    for one in found.objects:
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") != own["metadata"]["name"]:
            yield f"{one['kind']}/{one['metadata']['name']}: lies elsewhere"
