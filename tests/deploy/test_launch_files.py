"""Files of Ray's cluster launcher: what Ray takes, with a token everywhere and a dashboard that nobody else reaches."""

import copy
import re
from typing import Any

import jsonschema
import pytest
import yaml
from deploy.overlays import ROOT

LAUNCH = ROOT / "cluster" / "launch"
FILES = sorted(LAUNCH.glob("*.yaml"))


def read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((LAUNCH / name).read_text()))


def faults(config: dict[str, Any]) -> list[str]:
    """What would go wrong, as Ray says it and as nobody would."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    found: list[str] = []
    try:
        validate_config(prepare_config(copy.deepcopy(config)))
    except (jsonschema.ValidationError, ValueError, KeyError) as error:
        return [str(error)]
    starts = [one for name in ("head", "worker") for one in config[f"{name}_start_ray_commands"] if "ray start" in one]
    found += ["a node without a token" for one in starts if "RAY_AUTH_MODE=token" not in one]
    found += ["a dashboard for all" for one in starts if "--head" in one and "--dashboard-host=127.0.0.1" not in one]
    mounts = config["file_mounts"]
    if mounts.get("~/.ray/auth_token") != "~/.ray/auth_token" or mounts.get("~/carbonray") != ".":
        found.append("nodes have no token, or no carbonray")
    commands = " ".join(config["setup_commands"])
    script, folder = re.findall(r"TORCH_INDEX=\S+ .*?sh (\S+) (\S+)", commands)[0]
    if not (ROOT / script.replace("~/carbonray/", "")).is_file() or any(
        f"{folder}/bin/ray start" not in s for s in starts
    ):
        found.append("what is installed is not what is started")
    if "/data" not in commands:
        found.append("nobody looks for shared storage")
    kinds = config.get("available_node_types", {}) if config["provider"]["type"] == "aws" else {}
    found += ["lets everybody in" for one in kinds.values() if not one["node_config"].get("SecurityGroupIds")]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_ray_takes_it(file: Any) -> None:
    assert faults(read(file.name)) == []


def test_there_is_a_list_of_hosts_and_a_cloud_that_grows_by_cpus_and_gpus() -> None:
    assert read("on-premise.yaml")["provider"]["type"] == "local"
    cloud = read("aws.yaml")
    kinds = cloud["available_node_types"]
    assert all(
        kinds[name]["min_workers"] < kinds[name]["max_workers"] <= cloud["max_workers"] for name in ("cpu", "gpu")
    )
    assert ("GPU" in kinds["gpu"]["resources"], "GPU" in kinds["cpu"]["resources"]) == (True, False)


START = "~/carbonray-env/bin/ray start"
GROUP = ["available_node_types", "gpu", "node_config", "SecurityGroupIds"]


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        ("on-premise.yaml", ["head_start_ray_commands", 1], f"{START} --head", "without a token"),
        ("aws.yaml", ["worker_start_ray_commands", 1], f"{START} --address=$A", "without a token"),
        ("aws.yaml", ["head_start_ray_commands", 1],
         f"RAY_AUTH_MODE=token {START} --head --dashboard-host=0.0.0.0", "a dashboard for all"),
        ("aws.yaml", GROUP, [], "lets everybody in"),
        ("aws.yaml", ["max_wrkers"], 3, "max_wrkers"),
        ("aws.yaml", ["head_node_type"], "none", "must be one of"),
        ("on-premise.yaml", ["provider", "worker_ips"], "192.0.2.11", "192.0.2.11"),
        ("on-premise.yaml", ["file_mounts"], {}, "nodes have no token"),
    ],
)  # fmt: skip
def test_what_would_go_wrong_is_caught(name: str, path: list[Any], value: Any, said: str) -> None:
    config: Any = read(name)
    place = config
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    found = faults(config)
    assert any(said in fault for fault in found), found
