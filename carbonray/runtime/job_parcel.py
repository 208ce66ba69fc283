"""What travels with a job: files of the user, the package itself if the cluster lacks it, and the name of it all."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from carbonray.config_worlds import WORLDS, AnyScenario, file_in
from carbonray.data.catalogue import datasets_folder, sha256
from carbonray.runtime.job_order import SCENARIO, Order, files_of, on_cluster_only, scenario_of, with_files

FILES = "files"
"""Folder of the user's files in a job's working directory, where nothing can hide a module of the same name."""
HIDDEN = shutil.ignore_patterns(".*", "__pycache__")
"""Not copied: a .gitignore, say, would make Ray leave out the files that it names."""
LONGEST = 40
"""Letters of a scenario's name in a job's."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a job finds on the cluster beside its command."""

    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; whoever sees the cluster's dashboard or its jobs can read them."""
    pip: tuple[str, ...] = ()
    """Requirements that the cluster installs first."""
    python: str = "python"
    """The interpreter on the cluster."""
    ship: bool = False
    """Whether this very carbonray with its built-in tables travels along."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """An order ready to leave."""

    order: Order  # its words name files as the job finds them
    name: str  # readable, and the same for the same command, files and environment
    runtime_env: Mapping[str, Any]  # as Ray takes it


def pack(order: Order, environment: Environment, folder: Path) -> Parcel:
    """Copy what an order needs from this machine.

    Args:
        order: checked.
        environment: what else the job needs.
        folder: empty; it must last until the job is submitted.
    """
    work, package = folder / "work", folder / "package"
    carried, label = _with_files(order, work)
    modules = _package(package) if environment.ship else []
    beside: dict[str, Any] = {"env_vars": dict(environment.variables), "pip": list(environment.pip)}
    digest = _digest([carried.words, beside, environment.python], folder)
    places = {"working_dir": str(work) if work.exists() else "", "py_modules": [str(module) for module in modules]}
    return Parcel(
        order=carried,
        name="-".join(part for part in ("carbonray", order.command.replace(" ", "-"), label, digest) if part),
        runtime_env={key: value for key, value in (beside | places).items() if value},
    )


def _with_files(order: Order, work: Path) -> tuple[Order, str]:
    """The order with its files copied, and what to call it."""
    scenarios = [scenario_of(order, target) for target in order.targets]
    label = _label(scenarios[0]) if scenarios else ""
    actions = order.given("actions")
    if actions and not on_cluster_only(actions):
        order = order.without(actions=_copy(Path(actions), work))
    if order.given("grid"):
        order = order.without(grid=[_with_copies(text, scenarios[0], work) for text in order.given("grid")])
    if any(_is_file(target) for target in order.targets) or any(map(_own_files, scenarios)):
        targets = [_write(each, target, work) for target, each in zip(order.targets, scenarios, strict=True)]
        order = replace(order.without(*SCENARIO), targets=tuple(targets))
    return order, label


def _is_file(target: str) -> bool:
    return target.endswith((".yaml", ".yml"))


def _own_files(scenario: AnyScenario) -> dict[str, str]:
    """Keys of a scenario that name a file or folder of this machine, and what they name."""
    is_there = WORLDS[scenario.world].files
    return {dotted: file for dotted, file in files_of(scenario).items() if is_there[dotted](Path(file))}


def _with_copies(text: str, scenario: AnyScenario, work: Path) -> str:
    """`KEY=VALUE,VALUE` of a grid, with files copied if the key names files."""
    key, _, values = text.partition("=")
    is_there = WORLDS[scenario.world].files.get(key.replace("-", "_"))
    if is_there is None:
        return text
    named = [file_in(str(value)) for value in yaml.safe_load(f"[{values}]")]
    copied = [(_copy(Path(file), work) if is_there(Path(file)) else file) + rest for file, rest in named]
    return f"{key}={','.join(copied)}"


def _write(scenario: AnyScenario, target: str, work: Path) -> str:
    """The scenario as a file that names the copies of its files, which are found from that file's folder."""
    copies = {dotted: Path(_copy(Path(file), work)).name for dotted, file in _own_files(scenario).items()}
    name = _free(Path(target).name if _is_file(target) else f"{_label(scenario)}.yaml", work)
    content = yaml.safe_dump(with_files(scenario, copies), sort_keys=False, allow_unicode=True)
    (work / name).write_text(content, encoding="utf-8")
    return name


def _copy(source: Path, work: Path) -> str:
    """Copy a file or folder; its name in the working directory."""
    name = _free(source.name, work)
    if source.is_dir():
        shutil.copytree(source, work / name, ignore=HIDDEN)
    else:
        shutil.copyfile(source, work / name)
    return name


def _free(name: str, work: Path) -> str:
    """A name that nothing has yet."""
    (work / FILES).mkdir(parents=True, exist_ok=True)
    number, free = 1, name
    while (work / FILES / free).exists():
        number += 1
        free = f"{number}-{name}"
    return f"{FILES}/{free}"


def _package(folder: Path) -> list[Path]:
    """This carbonray as modules that Ray can ship: the package with its tables inside, and its version."""
    package = folder / "carbonray"
    shutil.copytree(Path(__file__).parents[1], package, ignore=HIDDEN)
    if not (package / "datasets").exists():
        shutil.copytree(datasets_folder(), package / "datasets", ignore=HIDDEN)
    told = metadata.distribution("carbonray")
    version = folder / f"carbonray-{told.version}.dist-info"
    version.mkdir()
    (version / "METADATA").write_text(told.read_text("METADATA") or "", encoding="utf-8")
    return [package, version]


def _label(scenario: AnyScenario) -> str:
    """A scenario's world and name in letters that a job's name may have; the main world goes without saying."""
    named = scenario.name if scenario.world == "cbam" else f"{scenario.world}-{scenario.name}"
    return re.sub(r"[^a-z0-9]+", "-", named.lower())[:LONGEST].strip("-")


def _digest(told: list[Any], folder: Path) -> str:
    """Ten letters that change with the command, the environment and every byte that travels."""
    hashed = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        hashed.update(f"\n{file.relative_to(folder).as_posix()} {sha256(file)}".encode())
    return hashed.hexdigest()[:10]
