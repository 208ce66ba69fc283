"""Every overlay is built, and is what a cluster takes; whatever would go wrong there is caught here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from deploy import rules, schemas
from deploy.overlays import OVERLAYS, ROOT, Overlay, built, overlay

SHARED = ROOT.parent / "shared" / "data" / "kuberay-crds"
KINDS = {"RayCluster": "rayclusters", "RayJob": "rayjobs", "RayService": "rayservices"}

Change = Callable[[Overlay], object]


def faults(found: Overlay) -> list[str]:
    """Those of schemas; of the rules, which look at nothing of another shape, only where there are none."""
    return list(schemas.faults(found)) or [fault for rule in rules.RULES for fault in rule(found)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_no_faults(name: str) -> None:
    assert faults(overlay(name)) == []


@pytest.mark.raw
@pytest.mark.skipif(not SHARED.exists(), reason="the definitions of KubeRay 1.7.0 are not beside the checkout")
def test_the_fields_of_kuberay_are_those_of_its_definitions() -> None:
    golden = json.loads(schemas.GOLDEN.read_text())
    for kind, name in KINDS.items():
        file = SHARED / f"ray.io_{name}.yaml"
        assert schemas.definition(file) == (kind, golden[kind])
        _, whole = schemas.definition(file, core=True)
        for each in OVERLAYS:
            for one in overlay(each).of(kind):
                jsonschema.Draft202012Validator(whole).validate(one)


def at(kind: str, name: str, path: str, value: Any) -> Change:
    """Set, or with ... remove, what lies at a path of an object."""

    def change(found: Overlay) -> None:
        place: Any = found.one(kind, name)
        *before, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        for part in before:
            place = place[part]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return change


def drop(kind: str, name: str) -> Change:
    return lambda found: found.objects.remove(found.one(kind, name))


def config(old: str, new: str) -> Change:
    """The Serve config with other words."""

    def change(found: Overlay) -> None:
        spec = found.one("RayService", "carbonray-api")["spec"]
        assert old in spec["serveConfigV2"]
        spec["serveConfigV2"] = spec["serveConfigV2"].replace(old, new)

    return change


def entry(old: str, new: str) -> Change:
    """The entry point of the training with other words."""

    def change(found: Overlay) -> None:
        spec = found.one("RayJob", "train")["spec"]
        assert old in spec["entrypoint"]
        spec["entrypoint"] = spec["entrypoint"].replace(old, new)

    return change


CLUSTER, JOB, SERVICE = ("RayCluster", "carbonray"), ("RayJob", "train"), ("RayService", "carbonray-api")
HEAD, WORKER = "spec/headGroupSpec/template/spec", "spec/workerGroupSpecs/0/template/spec"
NODE = "spec/rayClusterConfig/workerGroupSpecs/0"
REDIS = ("StatefulSet", "carbonray-redis")
POLICY = "NetworkPolicy"
MUTATIONS: list[tuple[str, Change, str]] = [
    # overlay, what is changed, what is said of it
    ("cpu", at(*CLUSTER, "spec/rayVersoin", "2.60.0"), "'rayVersoin' was unexpected"),
    ("cpu", at(*CLUSTER, "spec/workerGroupSpecs/0/maxReplicas", "16"), "is not of type 'integer'"),
    ("cpu", at(*CLUSTER, "spec/autoscalerOptions/upscalingMode", "Fast"), "'Fast' is not one of"),
    ("cpu", at(*CLUSTER, f"{HEAD}/containers/0/imagePullPolcy", "Always"), "'imagePullPolcy' was unexpected"),
    ("cpu", at(*JOB, "spec/submitterPodTemplate/spec/restart", "Never"), "'restart' was unexpected"),
    ("cpu", at(*REDIS, "spec/template/spec/containers/0/port", 1), "'port' was unexpected"),
    ("cpu", at(POLICY, "ray", "spec/ingres", []), "'ingres' was unexpected"),
    ("cpu", at(*JOB, "spec/submissionMode", "Foo"), "submissionMode Foo is none"),
    ("cpu", at(*SERVICE, "spec/upgradeStrategy/type", "RollingUpdate"), "upgradeStrategy is none"),
    ("cpu", at(*CLUSTER, "spec/headGroupSpec/serviceType", "LoadBalancer"), "reached from outside"),
    ("cpu", at(*JOB, "spec/backoffLimit", -1), "backoffLimit is negative"),
    ("cpu", at(*JOB, "spec/backoffLimit", ...), "is not tried again"),
    ("cpu", at(*JOB, "spec/submitterConfig", ...), "is not tried again"),
    ("cpu", at(*CLUSTER, "spec/workerGroupSpecs/0/minReplicas", 17), "are not in order"),
    ("cpu", at(*CLUSTER, "spec/enableInTreeAutoscaling", False), "does not grow"),
    ("cpu", at(*CLUSTER, f"{HEAD}/containers/0/image", "registry.example.com/carbonray:latest"), "is not pinned"),
    ("cpu", at(*REDIS, "spec/template/spec/containers/0/image", "redis"), "image redis is not pinned"),
    ("cpu", at(*CLUSTER, f"{HEAD}/containers/0/image", "registry.example.com/carbonray:0.0.9"), "have other images"),
    ("gpu", at(*CLUSTER, f"{WORKER}/containers/0/image", "registry.example.com/carbonray:0.1.0"), "have other images"),
    ("cpu", at(*CLUSTER, "spec/rayVersion", "2.59.0"), "is not that of constraints.txt"),
    ("cpu", at(*CLUSTER, "spec/gcsFaultToleranceOptions/redisPassword", {"value": "a"}), "Redis stands in the open"),
    ("cpu", at(*REDIS, "spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/key", "pass"), "nobody makes it"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/envFrom/0/secretRef/name", "pg"), "nobody makes it"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/0/value", "postgresql://a:b@c"), "in the open"),
    ("cpu", at(*CLUSTER, f"{HEAD}/containers/0/env", [{"name": "MY_TOKEN", "value": "a"}]), "in the open"),
    ("cpu", lambda found: found.objects.append({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "carbonray"},
    }), "stands in the manifests"),
    ("cpu", at(*CLUSTER, "spec/authOptions", ...), "asks for no token"),
    ("production", at(*SERVICE, "spec/rayClusterConfig/authOptions/mode", "disabled"), "asks for no token"),
    ("cpu", at(*JOB, "spec/rayClusterSpec/authOptions/mode", "disabled"), "asks for no token"),
    ("cpu", at(*CLUSTER, f"{HEAD}/securityContext/runAsNonRoot", False), "may run as root"),
    ("cpu", at(*CLUSTER, f"{WORKER}/containers/0/securityContext/readOnlyRootFilesystem", False), "write to its image"),
    ("cpu", at(*CLUSTER, "spec/autoscalerOptions/securityContext", ...), "autoscaler: may become more"),
    ("cpu", at(*JOB, "spec/submitterPodTemplate/spec/containers/0/securityContext", ...), "may become more"),
    ("cpu", at(*CLUSTER, f"{WORKER}/automountServiceAccountToken", ...), "holds a token of the API server"),
    ("cpu", at(*CLUSTER, f"{HEAD}/securityContext/seccompProfile", ...), "no seccomp profile"),
    ("cpu", at(*CLUSTER, f"{WORKER}/volumes/1/emptyDir", {}), "has no bounded /tmp"),
    ("cpu", at(*CLUSTER, f"{WORKER}/volumes/0/persistentVolumeClaim/claimName", "other"), "has no /data"),
    ("cpu", at(*REDIS, "spec/template/spec/containers/0/volumeMounts/0/name", "dta"), "there is no volume dta"),
    ("cpu", at("PersistentVolumeClaim", "carbonray-data", "spec/accessModes", ["ReadWriteOnce"]), "cannot share it"),
    ("cpu", at(*CLUSTER, f"{HEAD}/containers/0/resources/limits", {}), "memory asked for and its limit"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/resources",
               {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}), "that were measured"),
    ("cpu", at(*CLUSTER, "spec/workerGroupSpecs/0/rayStartParams/num-cpus", "64"), "that were measured"),
    ("cpu", at(*CLUSTER, "spec/workerGroupSpecs/0/rayStartParams/object-store-memory", "24000000000"), "were measured"),
    ("gpu", at(*CLUSTER, "spec/workerGroupSpecs/1/rayStartParams/num-gpus", "2"), "told of 2 GPUs, and 1"),
    ("gpu", at(*CLUSTER, "spec/workerGroupSpecs/1/template/spec/tolerations", []), "kept away from nodes with GPUs"),
    ("cpu", entry("--runners 4", "--gpus-per-learner 1"), "asks for GPUs that its cluster never has"),
    ("cpu", at("Service", "carbonray-redis", "spec/selector", {"app": "redis"}), "selects no pod"),
    ("cpu", at(POLICY, "service", "spec/podSelector/matchLabels", {"app": "a"}), "service: selects no pod"),
    ("cpu", at(POLICY, "redis", "spec/ingress/0/from/0/podSelector/matchLabels", {"a": "b"}), "that there are not"),
    ("production", at("PodDisruptionBudget", "service", "spec/selector/matchLabels", {"a": "b"}), "selects no pod"),
    ("cpu", at(*REDIS, "spec/selector/matchLabels", {"a": "b"}), "does not select its own pods"),
    ("cpu", at(*REDIS, "spec/serviceName", "other"), "has no service"),
    ("cpu", at(*SERVICE, "metadata/name", "carbonray"), "Service/carbonray-head-svc: there would be two"),
    ("cpu", drop(POLICY, "default-deny"), "nothing denies what is not allowed"),
    ("cpu", at(POLICY, "default-deny", "spec/policyTypes", ["Ingress"]), "nothing denies what is not allowed"),
    ("cpu", at(POLICY, "service", "spec/ingress/0/from", []), "lets everybody in"),
    ("cpu", at(POLICY, "dns", "spec/egress/0", {}), "lets everything out"),
    ("production", at(POLICY, "service", "spec/egress/0/to/0/ipBlock/cidr", "0.0.0.0/0"), "lets everything out"),
    ("cpu", at("Service", "carbonray-postgres", "spec/ports/0/targetPort", "pg"), "has no port pg"),
    ("cpu", at(POLICY, "redis", "spec/ingress/0/ports/0/port", 6380), "port 6380 is none of its pods"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/readinessProbe/httpGet/port", "web"), "which it has not"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/readinessProbe", ...), "before a replica is there"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/lifecycle", ...), "cuts what is in flight"),
    ("cpu", at(*SERVICE, "spec/serveService/spec/ports/0/port", 80), "Serve listens at 8000"),
    ("cpu", config("port: 8000", "port: 9000"), "Serve listens at 9000"),
    ("cpu", at(*CLUSTER, f"{WORKER}/containers/0/ports", []), "Ray's metrics are at 8080"),
    ("production", at("ServiceMonitor", "carbonray-ray", "spec/endpoints/0/port", "http"), "finds no port http"),
    ("production", at("ServiceMonitor", "carbonray-ray", "spec/selector/matchLabels", {"a": "b"}), "finds no port"),
    ("cpu", at(*CLUSTER, "spec/gcsFaultToleranceOptions", ...), "forgets what it knew"),
    ("cpu", at(*CLUSTER, "spec/gcsFaultToleranceOptions/redisAddress", "redis://r:6379"), "no Redis at"),
    ("cpu", config("max_queued_requests: 256", "max_queued_requests: 16"), "another than serve/config.yaml"),
    ("cpu", config("import_path: serve.app:build", "import_path: serve.http:make_app"), "another than serve/config"),
    ("cpu", config("args: {}", "args: {waiting: 1}"), "another than serve/config.yaml"),
    ("production", config("user_config: {}", "user_config: {model: /data/a}"), "another than serve/config.yaml"),
    ("cpu", config("host: 0.0.0.0", "host: 127.0.0.1"), "pods listen for others"),
    ("production", config("min_replicas: 2", "min_replicas: 1"), "one node carries it all"),
    ("production", config("max_replicas: 8", "max_replicas: 9"), "find no room"),
    ("cpu", at(*SERVICE, f"{NODE}/minReplicas", 0), "no replica is warm"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/4/value", "0"), "RAY_SERVE_ENABLE_HA_PROXY is not 1"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/5/value", "haproxy"), "no HAProxy that answers 503"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/0/value", "sqlite:///a.db"), "do not share a store"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/2/value", "/tmp/runs"), "are lost with it"),
    ("cpu", at(*SERVICE, f"{NODE}/template/spec/containers/0/env/3", ...), "has no key to begin with"),
    ("cpu", entry("--runners", "--runner"), "No such option: --runner"),
    ("cpu", entry("train law", "train lwa"), "lwa: unknown scenario"),
    ("cpu", entry("jobs run train", "jobs run teach"), "teach: is no command for a job"),
    ("cpu", entry("carbonray jobs run", "carbonray"), "a retry would begin anew"),
    ("cpu", entry("--out /data/policies/law", "--out /tmp/law"), "is lost with its cluster"),
    ("cpu", entry("--out /data/policies/law", "--out law"), "--out law: give an absolute folder"),
    ("cpu", entry("--budget 2e7", "--budget 3e7"), "another command than that of train.yaml"),
    ("cpu", at(*JOB, "metadata/labels", {}), "cannot be started alone"),
    ("cpu", at(*JOB, "spec/jobId", ...), "would run twice"),
    ("cpu", at("Namespace", "carbonray", "metadata/labels", {"a": "b"}), "lets pods do anything"),
    ("cpu", at(*REDIS, "metadata/namespace", "default"), "lies elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "said"), MUTATIONS, ids=[f"{n}-{said}" for n, _, said in MUTATIONS])
def test_what_would_go_wrong_is_caught(name: str, change: Change, said: str) -> None:
    found = overlay(name)
    change(found)
    told = faults(found)
    assert any(said in fault for fault in told), told


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_alone_starts_no_job(name: str) -> None:
    with_jobs, alone = overlay(name).objects, built(f"overlays/{name}")
    assert [one for one in with_jobs if one["kind"] != "RayJob"] == alone


def test_the_images_of_every_kind_are_set_in_both_places() -> None:
    cpu, cuda = (ROOT / f"k8s/components/image-{name}/images.yaml" for name in ("cpu", "cuda"))
    assert cpu.read_text() == cuda.read_text()


def test_every_file_of_k8s_is_used() -> None:
    told = " ".join(file.read_text() for file in (ROOT / "k8s").rglob("kustomization.yaml"))
    files = [file for file in (ROOT / "k8s").rglob("*.yaml") if file.name != "kustomization.yaml"]
    assert [file for file in files if Path(file).name not in told] == []
