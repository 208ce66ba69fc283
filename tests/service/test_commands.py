"""`python -m serve`, and where the service may listen."""

from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from serve import __main__ as commands
from serve import keys
from serve.binding import OpenError, check_binding
from serve.log import Batch, Log, content_of
from serve.mirror import Mirror, Row
from serve.settings import Settings
from serve.store import migrate, open_store


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    content = {"applications": [{"args": {"store": f"sqlite:///{tmp_path}/store.db"}}]}
    file.write_text(yaml.safe_dump(content))
    return file


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["serve", *words])
    with pytest.raises(SystemExit) as stopped:
        commands.main()
    return int(stopped.value.code or 0)


def test_keys_are_made_listed_and_ended(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--config", str(config))
    assert run(monkeypatch, "keys", "create", "ministry", "--scope", "read", "--scope", "write", *at) == 0
    id = capsys.readouterr().out.split("_")[1]
    assert run(monkeypatch, "keys", "revoke", id, *at) == 0
    assert run(monkeypatch, "keys", "revoke", id, *at) == 2
    assert capsys.readouterr().err == f"serve: {id}: there is no such key, or it was revoked before\n"
    assert run(monkeypatch, "keys", "create", "x", "--scope", "all", *at) == 2
    assert capsys.readouterr().err == "serve: --scope all: choose from read, write, simulate\n"
    assert run(monkeypatch, "keys", "list", *at) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(id)
    assert "read,write" in line
    assert "revoked" in line


def test_a_changed_record_ends_verify_log_with_1(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = open_store(f"sqlite:///{tmp_path}/store.db")
    migrate(engine)
    rows = [Row("F1", "EU26-STL", 1, 1.0, 2.0, None)]
    Log(engine, Mirror()).append([Batch(request="/a", rows=rows, content_sha256=content_of(rows))])
    assert run(monkeypatch, "verify-log", "--config", str(config)) == 0
    assert capsys.readouterr().out.startswith("1 batches, 1 observations: in order; chain_sha256 ")
    with engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE observation SET emissions_t_per_year = 1"))
    engine.dispose()
    assert run(monkeypatch, "verify-log", "--config", str(config)) == 1
    assert "batch 1: its observations are not those that were received" in capsys.readouterr().err
    assert run(monkeypatch, "verify-log", "--holds", "f" * 64, "--config", str(config)) == 1


def test_a_config_that_is_none_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("applications: [{args: {sotre: x}}]")
    assert run(monkeypatch, "keys", "list", "--config", str(file)) == 2
    assert capsys.readouterr().err == f"serve: {file}: args.sotre: Extra inputs are not permitted\n"


def test_what_a_config_leaves_out_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONRAY_STORE", "postgresql+psycopg://")
    monkeypatch.setenv("CARBONRAY_WAITING", "7")
    assert (Settings().store_url, Settings().waiting) == ("postgresql+psycopg://", 7)
    assert Settings(store="sqlite:////a.db").store_url == "sqlite:////a.db"


def test_beyond_this_machine_only_with_keys(tmp_path: Path) -> None:
    engine = open_store(Settings(store=f"sqlite:///{tmp_path}/store.db").store_url)
    migrate(engine)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_binding(host, engine)
    for host in ("0.0.0.0", "10.0.0.5", "::", "example.org"):
        with pytest.raises(OpenError, match=f"http_options.host {host}: .* keys create"):
            check_binding(host, engine)
    keys.create(engine, "ministry", ["read"])
    check_binding("0.0.0.0", engine)
    engine.dispose()


def test_the_config_that_ships_listens_on_this_machine_alone() -> None:
    content = yaml.safe_load(commands.CONFIG.read_text())
    assert content["http_options"]["host"] == "127.0.0.1"
    commands.settings_of(commands.CONFIG)
