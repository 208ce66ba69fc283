"""Rules of the network: who is selected, who may talk to whom, and where."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.overlays import Overlay, Pod
from deploy.rules_runs import serve_config


def selected(found: Overlay) -> Iterator[str]:
    """Whatever selects pods selects some; what has labels of its own has those that are selected."""
    pods = list(found.pods())
    for kind in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
        for one in found.of(kind):
            spec = one["spec"]
            wanted = spec.get("selector") if kind == "Service" else (spec.get("podSelector") or spec.get("selector"))
            labels = wanted if kind == "Service" else (wanted or {}).get("matchLabels", {})
            if labels and not any(labels.items() <= pod.labels.items() for pod in pods):
                yield f"{kind}/{one['metadata']['name']}: selects no pod"
    for policy in found.of("NetworkPolicy"):
        for peer in _peers(policy):
            labels = peer.get("podSelector", {}).get("matchLabels", {})
            if labels and not any(labels.items() <= pod.labels.items() for pod in pods) and found.name != "production":
                yield f"NetworkPolicy/{policy['metadata']['name']}: names pods that there are not"
    for one in found.of("StatefulSet"):
        if not one["spec"]["selector"]["matchLabels"].items() <= one["spec"]["template"]["metadata"]["labels"].items():
            yield f"StatefulSet/{one['metadata']['name']}: does not select its own pods"
        if one["spec"]["serviceName"] not in {service["metadata"]["name"] for service in found.of("Service")}:
            yield f"StatefulSet/{one['metadata']['name']}: has no service"


def _peers(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for rule in policy["spec"].get("ingress", []):
        yield from rule.get("from", [])
    for rule in policy["spec"].get("egress", []):
        yield from rule.get("to", [])


def distinct(found: Overlay) -> Iterator[str]:
    """No two services have a name, those that KubeRay makes for clusters and the service among them."""
    names = [one["metadata"]["name"] for one in found.of("Service")]
    names += [f"{one['metadata']['name']}-head-svc" for kind in ("RayCluster", "RayService") for one in found.of(kind)]
    names += [one["spec"]["serveService"]["metadata"]["name"] for one in found.of("RayService")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Service/{name}: there would be two"


def denied(found: Overlay) -> Iterator[str]:
    """Nothing is let in or out but by name."""
    default = [one["spec"] for one in found.of("NetworkPolicy") if one["spec"]["podSelector"] == {}
               and not one["spec"].get("ingress") and not one["spec"].get("egress")]  # fmt: skip
    if not any(set(one["policyTypes"]) == {"Ingress", "Egress"} for one in default):
        yield "NetworkPolicy: nothing denies what is not allowed"
    for policy in found.of("NetworkPolicy"):
        name = f"NetworkPolicy/{policy['metadata']['name']}"
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or {} in rule["from"]:
                yield f"{name}: lets everybody in"
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to") and not rule.get("ports"):
                yield f"{name}: lets everything out"
            for peer in rule.get("to", []):
                if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    yield f"{name}: lets everything out"


def ports(found: Overlay) -> Iterator[str]:
    """Ports by name or number are those of containers behind them, and of Ray's metrics and the Serve config."""
    pods = list(found.pods())
    for service in found.of("Service"):
        behind = [pod for pod in pods if service["spec"]["selector"].items() <= pod.labels.items()]
        for port in service["spec"]["ports"]:
            for pod in behind:
                if port["targetPort"] not in _ports(pod) and port["targetPort"] not in _ports(pod).values():
                    yield f"Service/{service['metadata']['name']}: {pod.owner} has no port {port['targetPort']}"
    for pod in pods:
        probes = [pod.container[name] for name in ("readinessProbe", "livenessProbe") if name in pod.container]
        for probe in probes:
            named = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
            if named is not None and named not in _ports(pod) and named not in _ports(pod).values():
                yield f"{pod.owner}: its probe asks at port {named}, which it has not"
        if pod.of_ray and _ports(pod).get("metrics") != 8080:
            yield f"{pod.owner}: Ray's metrics are at 8080"
    for service in found.of("RayService"):
        asked = serve_config(service)["http_options"]["port"]
        workers = [pod for pod in pods if pod.owner.startswith("RayService") and not pod.head]
        api = service["spec"]["serveService"]["spec"]["ports"][0]["port"]
        if {asked, api} | {_ports(pod).get("serve") for pod in workers} != {asked}:
            yield f"RayService/{service['metadata']['name']}: Serve listens at {asked}, and others ask elsewhere"
        if not all("readinessProbe" in pod.container for pod in workers):
            yield f"RayService/{service['metadata']['name']}: nodes are asked before a replica is there"
        if not all("serve.launch --drain" in str(pod.container.get("lifecycle")) for pod in workers):
            yield f"RayService/{service['metadata']['name']}: a node that ends cuts what is in flight"
    for policy in found.of("NetworkPolicy"):
        yield from _reachable(policy, pods)


def _reachable(policy: Mapping[str, Any], pods: list[Pod]) -> Iterator[str]:
    labels = policy["spec"]["podSelector"].get("matchLabels", {})
    behind = [pod for pod in pods if labels and labels.items() <= pod.labels.items()]
    has = {number for pod in behind for number in _ports(pod).values()}
    for rule in policy["spec"].get("ingress", []):
        for port in rule.get("ports", []):
            if port["port"] not in has:
                yield f"NetworkPolicy/{policy['metadata']['name']}: port {port['port']} is none of its pods"


def _ports(pod: Pod) -> dict[str, int]:
    return {one["name"]: one["containerPort"] for one in pod.container.get("ports", [])}


def watched(found: Overlay) -> Iterator[str]:
    """Prometheus finds a service and its port."""
    services = [(one["metadata"].get("labels", {}), one["spec"]["ports"]) for one in found.of("Service")]
    for one in found.of("RayService"):
        services.append(
            (one["spec"]["serveService"]["metadata"]["labels"], one["spec"]["serveService"]["spec"]["ports"])
        )
    for monitor in found.of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        behind = [ports for labels, ports in services if wanted <= labels.items()]
        for endpoint in monitor["spec"]["endpoints"]:
            if not any(endpoint["port"] == port["name"] for ports in behind for port in ports):
                yield f"ServiceMonitor/{monitor['metadata']['name']}: finds no port {endpoint['port']}"
    if found.name == "production" and not found.of("ServiceMonitor"):
        yield "ServiceMonitor: there is none"


def durable(found: Overlay) -> Iterator[str]:
    """Heads may be restarted: what they know is in a Redis that is there."""
    services = {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in found.of("Service")}
    for owner, cluster in found.clusters():
        address = cluster.get("gcsFaultToleranceOptions", {}).get("redisAddress", "")
        name, _, port = address.removeprefix("redis://").partition(":")
        if str(services.get(name)) != port:
            yield f"{owner}: its head forgets what it knew; there is no Redis at {address or 'all'}"
