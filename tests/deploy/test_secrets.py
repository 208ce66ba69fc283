"""k8s/secrets.sh makes what the manifests refer to; a kubectl, as there is no cluster here, notes what it is told."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from deploy.overlays import ROOT
from deploy.rules import SECRETS

from serve.keys import PREFIX

KUBECTL = """#!/bin/sh
echo "$*" >> "$TOLD/commands"
case "$*" in
    *"get secret carbonray-key"*) test -e "$TOLD/has-key" ;;
    *"get "*) exit 1 ;;
    *"create secret generic "*) cat > "$TOLD/$6" ;;
esac
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL)
    program.chmod(0o755)
    return tmp_path


def run(folder: Path, **variables: str) -> dict[str, dict[str, str]]:
    """Secrets that were made, and what they hold."""
    environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "TOLD": str(folder), **variables}
    subprocess.run(["sh", ROOT / "k8s" / "secrets.sh"], env=environment, check=True, capture_output=True)
    found = {name: folder / name for name in SECRETS if (folder / name).exists()}
    return {name: dict(line.split("=", 1) for line in file.read_text().splitlines()) for name, file in found.items()}


def test_secrets_are_those_that_manifests_refer_to(made: Path) -> None:
    found = run(made)
    assert {name: keys <= found[name].keys() for name, keys in SECRETS.items()} == dict.fromkeys(SECRETS, True)
    assert re.fullmatch(rf"{PREFIX}_[0-9a-f]{{12}}_[0-9a-f]{{64}}", found["carbonray-key"]["key"])
    assert run(made)["carbonray-redis"] != found["carbonray-redis"]
    assert found["carbonray-redis"]["password"] not in (made / "commands").read_text()


def test_what_is_there_stays_and_a_database_of_ones_own_may_be_given(made: Path) -> None:
    (made / "has-key").touch()
    found = run(made, PGHOST="db.example.com", PGPASSWORD="mine")
    assert "carbonray-key" not in found
    assert (found["carbonray-postgres"]["PGHOST"], found["carbonray-postgres"]["PGPASSWORD"]) == (
        "db.example.com",
        "mine",
    )
