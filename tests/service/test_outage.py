"""A store that goes down: 503, nothing acknowledged, and all that was acknowledged when it is back."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serve.http import make_app
from serve.verify import verify


def observe(http: TestClient, key: str) -> Any:
    row = {"firm_id": f"F-{key}", "cell": "EU26-STL", "observed_at": "2026-02-01T00:00:00Z",
           "output_musd_per_year": 1.0, "emissions_t_per_year": 2.0}  # fmt: skip
    return http.post("/v1/firms/observations", json={"observations": [row]}, headers={"idempotency-key": key})


def test_a_store_that_is_killed_loses_nothing_that_was_acknowledged(
    postgres: Any, make_service: Any, tmp_path: Path
) -> None:
    service = make_service(tmp_path, store=postgres.database())
    with TestClient(make_app(service), raise_server_exceptions=False) as http:
        acknowledged = [observe(http, f"before-{number}").json() for number in range(5)]
        postgres.kill()
        try:
            refused = [
                observe(http, "down"),
                http.get("/v1/risk"),
                http.get("/readyz"),
                http.get("/v1/firms/F-before-1"),
            ]
            assert http.get("/healthz").status_code == 200
        finally:
            postgres.start()
        assert {reply.status_code for reply in refused} == {503}
        assert all(reply.headers["retry-after"] for reply in refused)
        assert "postgres" not in refused[0].text
        again = observe(http, "down")
        assert again.status_code == 200
        assert [observe(http, f"before-{number}").json() for number in range(5)] == acknowledged
    found = verify(service.engine, holds=acknowledged[-1]["chain_sha256"])
    service.engine.dispose()
    assert (found.rows, found.faults, found.holds) == (6, (), True)


@pytest.mark.parametrize("store", ["postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_a_service_whose_store_was_never_there_does_not_start(make_service: Any, tmp_path: Path, store: str) -> None:
    with pytest.raises(Exception, match="connection"):
        make_service(tmp_path, store=store)
