"""What travels with a job, what it is called, what is refused before it leaves, and what is left of it to do."""

import json
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from carbonray.config import ScenarioError
from carbonray.data.catalogue import datasets_folder, sha256
from carbonray.data.load_world import load_world
from carbonray.data.scenarios import load
from carbonray.data.templates import template
from carbonray.runtime import checkpoint, jobs, outputs
from carbonray.runtime.checkpoint import RUN, CheckpointError, Commit
from carbonray.runtime.job_order import ROLES, JobError, Order, check, hashes_of, nameable, on_cluster
from carbonray.runtime.job_parcel import Environment, Parcel, pack
from carbonray.runtime.job_retry import remaining
from carbonray.runtime.job_server import Job, connect
from carbonray.runtime.place import Place
from carbonray.runtime.simulate_cbam import draws_of

pytestmark = pytest.mark.slow  # left out of `make check`, which must stay under a minute

DRAWS = draws_of(None, robust=True)
PROTOCOL = "def nobody(offers, situation):\n    return offers\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario of the user's own, its economy, its plants and a protocol."""
    folder = tmp_path / "own"
    folder.mkdir()
    shutil.copytree(datasets_folder() / "world_2011", folder / "economy_2011")
    (folder / "economy_2011" / ".gitignore").write_text("*\n")
    (folder / "plants.csv").write_text(template("plants"))
    (folder / "protocol.py").write_text(PROTOCOL)
    content = {"economy": "economy_2011", "years": 1, "firms": {"number": 1000, "plants": "plants.csv"}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(folder)
    return folder


def order(*targets: str, command: str = "simulate", **options: Any) -> Order:
    return Order(command=command, targets=targets or ("law",), options={"out": "/data/run", **options})


def packed(asked: Order, folder: Path, environment: Environment | None = None) -> Parcel:
    folder.mkdir()
    return pack(asked, environment or Environment(), folder)


def test_words_are_those_that_a_user_types_in_the_order_of_their_names() -> None:
    asked = order("law", years=2, settings=["a=1", "b=2"], robust=False, plants=True, plant_list=None)
    typed = "simulate law --out /data/run --plants --no-robust --set a=1 --set b=2 --years 2"
    assert shlex.join(asked.words) == typed


def test_a_run_is_on_ray_unless_it_is_to_be_one_process() -> None:
    assert on_cluster(order()).given("on") == "ray"
    assert on_cluster(order(on="process")).given("on") == "process"
    assert on_cluster(order(command="sweep")).given("on") == "ray"
    assert on_cluster(Order(command="simulate", options={"resume": "/data/marks"})).given("on") is None


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"out": None}, "--out: give an absolute folder"),
        ({"out": "runs/mine"}, "--out runs/mine: give an absolute folder of the cluster;"),
        ({"out": "s3://bucket/run"}, "--out s3://bucket/run: give an absolute folder of the cluster;"),
        ({"checkpoint": "marks"}, "--checkpoint marks: give an absolute folder of the cluster, or a URL"),
        ({"on": "process", "checkpoint": "/data/marks"}, "--checkpoint: only with --on ray"),
        ({"device": "cuda"}, "--device cuda: only with --on process"),
        ({"every": 0, "checkpoint": "/data/marks"}, "--every 0: give a number of steps"),
        ({"patience": -1.0}, "--patience -1: give a number of seconds above 0"),
        ({"shard": "foo"}, "--shard foo: choose region, firm, or how many firms an actor has"),
        ({"shard": "0"}, "--shard 0: choose region, firm"),
        ({"uncertainty": -3}, "--uncertainty -3: give the number of draws"),
        ({"resume": "/data/marks"}, "TARGET: leave it out with --resume"),
        ({"settings": ["years=many"]}, "years: Input should be a valid integer"),
        ({"settings": ["economy=nowhere"]}, "nowhere: no such table"),
        ({"plant_list": "nowhere.csv"}, "nowhere.csv: cannot be read"),
        ({"actions": "recorded.npz"}, "--actions: climate-negotiation only"),
    ],
)
def test_what_the_cluster_would_refuse_is_refused_here(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule.replace("(", r"\(")) as refused:
        check(order(**options))
    assert "\n" not in str(refused.value)


def test_what_a_shard_may_be_depends_on_the_world() -> None:
    for shard in ("region", "firm", "100"):
        check(order(shard=shard))
    check(order("climate-negotiation/club", shard="region"))
    with pytest.raises(JobError, match="--shard firm: choose region, or how many regions an actor has"):
        check(order("climate-negotiation/club", shard="firm"))


def test_agents_of_a_shard_are_called_as_in_their_world() -> None:
    small = load_world("law", ["economy=world-2011", "firms.number=720"])
    assert {"cbam": next(iter(small.roles))} | {
        "climate-negotiation": next(iter(load_world("climate-negotiation/club").roles))
    } == ROLES


def test_a_run_that_goes_on_is_refused_here_too_if_it_has_no_patience() -> None:
    with pytest.raises(ScenarioError, match="--patience 0: give a number of seconds above 0"):
        check(Order(command="simulate", options={"resume": "/data/marks", "out": "/data/run", "patience": 0.0}))


def test_checkpoints_may_lie_behind_a_url_and_files_on_the_cluster_alone() -> None:
    check(order(checkpoint="s3://bucket/marks"))
    check(order(settings=["economy=/only/on/the/cluster/economy_2011"]))
    check(Order(command="sweep", options={"resume": "/data/sweep"}))


def test_a_target_that_no_cluster_could_load_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no-such-scenario: unknown scenario"):
        check(order("no-such-scenario"))
    with pytest.raises(
        JobError, match="report: is no command for a job; choose simulate, sweep, train, predictor build"
    ):
        check(Order(command="report"))


def test_the_files_of_a_scenario_travel_and_are_found_from_the_working_directory(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = packed(order("mine.yaml", settings=["seed=7"]), tmp_path / "parcel")
    here = load("mine.yaml", ["seed=7"])
    shutil.move(own, tmp_path / "elsewhere")
    monkeypatch.chdir(str(parcel.runtime_env["working_dir"]))
    there = load(parcel.order.targets[0])
    assert parcel.order.words == ["simulate", "files/mine.yaml", "--out", "/data/run"]
    assert nameable(there) == nameable(here)
    assert Path(there.economy).parent == Path.cwd() / "files"
    for name in ("economy_2011/cells.parquet", "plants.csv"):
        assert sha256(Path("files") / name) == sha256(tmp_path / "elsewhere" / name)
    assert not list(Path().rglob(".*"))


def test_files_that_settings_and_options_name_travel_too(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = order("law", settings=["economy=economy_2011"], plant_list=Path("plants.csv"), robust=False)
    parcel = packed(asked, tmp_path / "parcel")
    monkeypatch.chdir(str(parcel.runtime_env["working_dir"]))
    there = load(parcel.order.targets[0])
    assert parcel.order.words == ["simulate", "files/law.yaml", "--out", "/data/run", "--no-robust"]
    assert Path(there.economy) == Path("files/economy_2011").resolve()
    assert Path(there.firms.plants) == Path("files/plants.csv").resolve()


def test_a_protocol_travels_with_the_name_of_its_function(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = order("climate-negotiation/none", settings=["negotiation.protocol=protocol.py:nobody"])
    parcel = packed(asked, tmp_path / "parcel")
    monkeypatch.chdir(str(parcel.runtime_env["working_dir"]))
    there = load(parcel.order.targets[0])
    assert there.negotiation.protocol == f"{Path('files/protocol.py').resolve()}:nobody"
    assert Path("files/protocol.py").read_text() == PROTOCOL


def test_files_of_the_same_name_do_not_replace_each_other(own: Path, tmp_path: Path) -> None:
    (own / "other").mkdir()
    (own / "other" / "economy_2011").mkdir()
    (own / "other" / "economy_2011" / "note.txt").write_text("another")
    asked = order("law", command="sweep", grid=["economy=economy_2011,other/economy_2011,world-2011", "seed=1"])
    parcel = packed(asked, tmp_path / "parcel")
    assert parcel.order.given("grid") == ["economy=files/economy_2011,files/2-economy_2011,world-2011", "seed=1"]
    copied = Path(str(parcel.runtime_env["working_dir"])) / "files"
    assert (copied / "economy_2011" / "cells.parquet").is_file()
    assert (copied / "2-economy_2011" / "note.txt").read_text() == "another"


def test_a_built_in_scenario_needs_no_working_directory(tmp_path: Path) -> None:
    parcel = packed(order(years=1), tmp_path / "parcel", Environment(variables={"A": "b"}, pip=("rich",)))
    assert parcel.runtime_env == {"env_vars": {"A": "b"}, "pip": ["rich"]}
    assert parcel.order == order(years=1)


def test_a_name_is_readable_and_the_same_for_the_same_command_and_files(own: Path, tmp_path: Path) -> None:
    first = packed(order("mine.yaml", years=1, seed=2), tmp_path / "1").name
    (own / "mine.yaml").write_text("# a remark\n" + (own / "mine.yaml").read_text())
    (own / "plants.csv").touch()
    assert packed(order("mine.yaml", seed=2, years=1), tmp_path / "2").name == first
    assert first.startswith("carbonray-simulate-mine-")
    assert packed(order("climate-negotiation/club"), tmp_path / "3").name.startswith(
        "carbonray-simulate-climate-negotiation-club-"
    )


def test_a_name_changes_with_the_command_the_environment_and_a_byte_of_a_file(own: Path, tmp_path: Path) -> None:
    names = [
        packed(order("mine.yaml"), tmp_path / "1").name,
        packed(order("mine.yaml", seed=1), tmp_path / "2").name,
        packed(order("mine.yaml"), tmp_path / "3", Environment(variables={"A": "b"})).name,
        packed(order("mine.yaml"), tmp_path / "4", Environment(python="python3")).name,
    ]
    with (own / "plants.csv").open("a") as plants:
        plants.write("P9,One more,Example,EU26,DE,,STL,1000,1000,\n")
    names.append(packed(order("mine.yaml"), tmp_path / "5").name)
    assert len(set(names)) == len(names)


def test_a_shipped_carbonray_works_where_there_is_none_with_its_tables_and_version(tmp_path: Path) -> None:
    parcel = packed(order(), tmp_path / "parcel", Environment(ship=True))
    modules = [Path(module) for module in parcel.runtime_env["py_modules"]]
    for number, module in enumerate(modules):  # each is unpacked in a folder of its own
        shutil.move(module, tmp_path / f"unpacked{number}" / module.name)
    asked = """
import importlib.metadata, sys
from carbonray.data.catalogue import list_datasets, verify
for name in list_datasets()["name"]: verify(name)
print(importlib.metadata.version("carbonray"), sys.modules["carbonray"].__file__)
"""
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    places = [*(str(tmp_path / f"unpacked{number}") for number in range(len(modules))), libraries]
    command = [sys.executable, "-S", "-c", asked]  # -S: without what an installation in place adds to the path
    told = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": ":".join(places)}, capture_output=True, text=True, check=True
    )
    version, place = told.stdout.split()
    assert version
    assert Path(place) == tmp_path / "unpacked0" / "carbonray" / "__init__.py"


def written(out: Path, *settings: str, target: str = "law", actions: Path | None = None, **summary: Any) -> Path:
    """The folder of a whole run as far as a job looks at it."""
    out.mkdir()
    outputs.write_config(load(target, settings), out / "config.yaml", {actions.name: actions} if actions else {})
    whole = {"interrupted": False, "ablation": [], "uncertainty": {"draws": DRAWS}}
    outputs.write_json(whole | summary, out / "summary.json")
    return out


def test_nothing_is_left_of_a_run_that_is_there(tmp_path: Path) -> None:
    out = written(tmp_path / "run", "years=1")
    assert remaining(order(out=out, years=1)) is None
    assert remaining(order(out=out, years=1, uncertainty=DRAWS)) is None
    assert remaining(order(out=tmp_path / "new", years=1)) == order(out=tmp_path / "new", years=1)


def test_the_run_of_the_same_files_from_another_folder_is_the_same(own: Path, tmp_path: Path) -> None:
    out = written(tmp_path / "run", target="mine.yaml")
    there = tmp_path / "elsewhere"
    shutil.copytree(own, there)
    assert remaining(order(str(there / "mine.yaml"), out=out)) is None
    with (there / "plants.csv").open("a") as plants:
        plants.write("P9,One more,Example,EU26,DE,,STL,1000,1000,\n")
    with pytest.raises(JobError, match=r"run: holds a run on another plants\.csv; give another --out"):
        remaining(order(str(there / "mine.yaml"), out=out))


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="run: holds the run of another scenario; give another --out"):
        remaining(order(out=written(tmp_path / "run"), years=1))
    with pytest.raises(JobError, match="cut: holds a run that was interrupted; remove it, or give another --out"):
        remaining(order(out=written(tmp_path / "cut", interrupted=True)))
    with pytest.raises(JobError, match="exists already and holds no run; give another --out"):
        remaining(order(out=tmp_path))


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"robust": False}, "robust"),
        ({"uncertainty": 5}, "uncertainty"),
        ({"uncertainty": 0}, "uncertainty"),
    ],
)
def test_a_finished_run_with_other_options_is_another_run(tmp_path: Path, asked: dict[str, Any], name: str) -> None:
    out = written(tmp_path / "run")
    with pytest.raises(JobError, match=f"run: holds a run with another --{name}; give another --out"):
        remaining(order(out=out, **asked))


def test_a_run_that_replayed_actions_is_done_for_these_alone(tmp_path: Path) -> None:
    actions = tmp_path / "recorded.npz"
    actions.write_bytes(b"what was recorded")
    told = {"switches": [{"switch": "rates"}], "actions_file": actions.name}
    out = written(tmp_path / "run", target="climate-negotiation/none", actions=actions, **told)
    assert remaining(order("climate-negotiation/none", out=out, actions=actions)) is None
    changed = order("climate-negotiation/club", out=out, actions=actions)  # the actions decide the protocol
    assert remaining(changed) is None
    with pytest.raises(JobError, match="run: holds a run with another --actions"):
        remaining(order("climate-negotiation/none", out=out))
    actions.write_bytes(b"something else")
    with pytest.raises(JobError, match="run: holds a run with another --actions"):
        remaining(order("climate-negotiation/none", out=out, actions=actions))


def test_what_is_not_compared_is_told(tmp_path: Path) -> None:
    notes: list[str] = []
    assert remaining(order(out=written(tmp_path / "run"), device="cuda"), note=notes.append) is None
    assert notes == [f"{tmp_path}/run: does not tell on which device it ran; --device cuda is not compared"]


def marked(place: Path, *settings: str, target: str = "law", uncertainty: int | None = None) -> Path:
    """A place with a checkpoint as far as a job looks at it."""
    scenario, at = load(target, settings), Place(str(place))
    run = {
        "world": scenario.world,
        "scenario": scenario.model_dump(mode="json"),
        "options": {"robust": True, "uncertainty": uncertainty, "actions": None},
        "shard": "firm",
        "every": 10,
        "versions": {},
        "datasets": hashes_of(scenario),
        "digest": "",
    }
    owner = checkpoint.take(at, run)
    checkpoint.commit(at, Commit(step=10, folder=checkpoint.folder(10), digests=()), owner)
    return place


def test_a_run_goes_on_from_its_checkpoint_with_what_the_checkpoint_does_not_tell(tmp_path: Path) -> None:
    asked = order(out=tmp_path / "run", years=1, on="ray", checkpoint=tmp_path / "marks", shard="firm", patience=9)
    notes: list[str] = []
    assert remaining(asked) == asked
    marked(tmp_path / "marks", "years=1")
    left = remaining(asked, note=notes.append)
    assert left is not None
    assert left.words == f"simulate --out {tmp_path}/run --patience 9 --resume {tmp_path}/marks".split()
    assert notes == []


def test_options_that_a_checkpoint_overrules_are_told(tmp_path: Path) -> None:
    place, notes = marked(tmp_path / "marks"), list[str]()
    remaining(order(checkpoint=place, shard="region", every=3, on="process"), note=notes.append)
    told = "--shard region and --every 3 and --on process left out"
    assert notes == [f"{place}: the checkpoint tells how the run goes on; {told}"]


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    place = marked(tmp_path / "marks", "years=1", uncertainty=4)
    asked = {"out": tmp_path / "run", "checkpoint": place, "years": 1}
    with pytest.raises(JobError, match="marks: holds the checkpoint of another scenario; give another --checkpoint"):
        remaining(order("moderate", **asked))
    with pytest.raises(JobError, match="marks: holds the checkpoint of a run with another --uncertainty"):
        remaining(order(**asked))
    assert remaining(order(**asked, uncertainty=4)) is not None


def test_a_resumed_run_is_done_only_if_the_folder_holds_the_run_of_its_checkpoint(tmp_path: Path) -> None:
    def asked(out: Path, place: Path) -> Order:
        return Order(command="simulate", options={"resume": place, "out": out})

    place = marked(tmp_path / "marks", "years=1", uncertainty=4)
    done = written(tmp_path / "done", "years=1", uncertainty={"draws": 4})
    assert remaining(asked(done, place)) is None
    assert remaining(asked(tmp_path / "new", place)) == asked(tmp_path / "new", place)
    with pytest.raises(JobError, match="other: holds the run of another scenario; give another --out"):
        remaining(asked(written(tmp_path / "other", "years=2"), place))
    with pytest.raises(JobError, match="more: holds a run with another --uncertainty; give another --out"):
        remaining(asked(written(tmp_path / "more", "years=1"), place))
    with pytest.raises(CheckpointError, match="gone: holds no checkpoint to resume"):
        remaining(asked(done, tmp_path / "gone"))


def test_a_run_that_goes_on_finds_its_files_where_the_new_job_has_them(own: Path, tmp_path: Path) -> None:
    place = marked(tmp_path / "marks", target="mine.yaml")
    shutil.move(own, tmp_path / "elsewhere")
    target = tmp_path / "elsewhere" / "mine.yaml"
    before = json.loads((place / RUN).read_text())
    assert remaining(order(str(target), out=tmp_path / "run", checkpoint=place)) is not None
    run = json.loads((place / RUN).read_text())
    assert run["scenario"]["economy"] == str(target.parent / "economy_2011")
    assert {**run, "scenario": before["scenario"]} == before
    assert checkpoint.exists(place)


@pytest.mark.parametrize("address", ["ray://head:10001", "head:8265", "http://", "ftp://head"])
def test_an_address_that_is_no_dashboard_is_refused(address: str) -> None:
    with pytest.raises(JobError, match=f"--address {address}: give the dashboard of the cluster's head"):
        connect(address)


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_given_address_goes_before_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given, told = (f"http://127.0.0.1:{closed_port()}" for _ in range(2))
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", told)
    with pytest.raises(JobError, match=f"{told}: no cluster answers"):
        connect()
    with pytest.raises(JobError, match=f"{given}: no cluster answers"):
        connect(given)


def test_without_ray_the_refusal_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.job_submission", None)
    with pytest.raises(JobError, match=r"pip install 'carbonray\[ray\]'"):
        connect()


def test_a_name_that_no_job_can_have_is_refused() -> None:
    with pytest.raises(JobError, match=r"--id \.\./x: up to 100 letters"):
        jobs.submit(order(), id="../x")


def test_the_exit_code_of_a_job_is_its_own_or_tells_the_signal_that_ended_it() -> None:
    ended = {"id": "a", "command": "", "message": "runtime_env setup failed: no\nTraceback\nERROR: no such package\n"}
    assert Job(status="succeeded", exit_code=0, **ended).code == 0
    assert Job(status="failed", exit_code=2, **ended).code == 2
    assert Job(status="failed", exit_code=-9, **ended).code == 137
    assert Job(status="stopped", **ended).code == 1
    broken = Job(status="failed", **ended)
    assert broken.code == 1
    assert broken.outcome == "failed: runtime_env setup failed: no (ERROR: no such package)"


def test_a_log_that_is_heard_again_from_its_beginning_is_said_once() -> None:
    said: list[str] = []
    log = jobs._Log(said.append)
    for text, start in (("one\n", 0), ("two\n", 4), ("one\ntwo\nth", 0), ("one\n", 0), ("one\ntwo\nthree\n", 0)):
        log.tell(text, start)
    assert "".join(said) == "one\ntwo\nthree\n"


def test_a_training_goes_on_in_its_folder_and_another_one_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    order = Order(command="train", targets=("law",), options={"out": str(out), "algorithm": "vdn"})
    check(order)
    assert remaining(order) is order
    out.mkdir()
    with pytest.raises(JobError, match=r"mine: exists already and holds no training; give another --out$"):
        remaining(order)
    held = {"scenario": {"name": "law"}, "algorithm": "vdn", "seed": 0}
    (out / "training.json").write_text(json.dumps(held))
    assert remaining(order) == Order(command="train", options={"resume": str(out)})
    (out / "training.json").write_text(json.dumps({**held, "algorithm": "ppo"}))
    with pytest.raises(JobError, match=r"mine: holds a training with another algorithm, ppo; give another --out$"):
        remaining(order)


def test_a_policy_of_this_machine_is_not_asked_for_on_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobError, match="--policy mine: give an absolute folder of the cluster"):
        check(Order(command="simulate", targets=("law",), options={"out": "/data/x", "policy": "mine"}))
