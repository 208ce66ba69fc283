"""The image: what its Dockerfile says, and its install steps run in a clean environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from deploy.overlays import ROOT


def test_the_image_is_pinned_confined_and_watched() -> None:
    told = (ROOT / "cluster" / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11\.\d+-slim-bookworm$", told, re.M)
    assert "ARG TORCH_INDEX\n" in told  # without a default
    assert re.search(r"^USER 1000:1000$", told, re.M)
    (health,) = re.findall(r'HEALTHCHECK .*CMD \["sh", "/opt/carbonray/(.*)"\]', told)
    assert (ROOT / health).is_file()
    assert "RUN sh cluster/install.sh" in told
    (variables,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", told, re.M)
    assert "RAY_" not in variables  # a cluster without a token, such as dev's, would not come up
    for source in re.findall(r"^COPY (.*) \S+$", told, re.M):
        assert all((ROOT / one).exists() for one in source.split())
    ignored = (ROOT / "cluster" / "Dockerfile.dockerignore").read_text()
    copied = {one for source in re.findall(r"^COPY (.*) \S+$", told, re.M) for one in source.split()}
    assert {f"!{one}" for one in copied} == set(re.findall(r"^!.*$", ignored, re.M))


@pytest.mark.parametrize(
    ("variables", "words", "said"),
    [
        ({}, [], "DEVICE"),
        ({"DEVICE": "cpu"}, [], "TORCH_INDEX"),
        ({"DEVICE": "gpu", "TORCH_INDEX": "-"}, [], "choose cpu or cuda"),
        ({"DEVICE": "cpu", "TORCH_INDEX": "-"}, [str(ROOT)], "exists already"),
    ],
)
def test_an_installation_that_makes_no_sense_is_refused_in_one_line(
    variables: dict[str, str], words: list[str], said: str
) -> None:
    told = subprocess.run(
        ["sh", ROOT / "cluster" / "install.sh", *words],
        env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert said in told.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_a_clean_environment_its_steps_give_a_carbonray_that_runs(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name == "HOME"}
    clean = {"PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin", **kept}
    folder = tmp_path / "environment"
    told = subprocess.run(
        ["sh", ROOT / "cluster" / "install.sh", folder],
        env={**clean, "DEVICE": "cpu", "TORCH_INDEX": "-"}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"{folder}: carbonray with PyTorch for cpu\n"
    again = subprocess.run(
        ["sh", ROOT / "cluster" / "install.sh", folder], check=False, capture_output=True, text=True,
        env={**clean, "DEVICE": "cpu", "TORCH_INDEX": "-", "UPDATE": "1"},
    )  # fmt: skip
    assert (again.returncode, again.stdout) == (0, f"{folder}: is as it should be\n")
    # as in the image: programs on the path, serve beside them
    inside = {**clean, "PATH": f"{folder}/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    small = ["--set", "economy=world-2011", "--firms", "720", "--years", "1", "--no-robust", "--uncertainty", "0"]
    for command in (
        ["carbonray", "simulate", "law", *small, "--out", "run"],
        ["ray", "--version"],
        ["python", "-c", "import serve.app"],
        ["python", "-c", "from carbonray.predict.predictor import predictor; predictor(None)"],
    ):
        done = subprocess.run(command, env=inside, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()
