"""What the routes promise, without Ray: refusals name the field, what was acknowledged is told and counted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from carbonray.client.messages import LeakageReply
from carbonray.predict.prediction import predict_leakage
from serve import keys
from serve.http import make_app
from serve.log import Batch, content_of
from serve.mirror import Row
from serve.service import Service
from serve.settings import Swap
from serve.verify import verify

PLANT = "NL-128"
"""The first of the built-in list's ranking under the law."""


def seen(firm_id: str = PLANT, time: str = "2026-02-01T00:00:00Z", **changes: Any) -> dict[str, Any]:
    base = {"firm_id": firm_id, "observed_at": time, "output_musd_per_year": 2000.0, "emissions_t_per_year": 3e6}
    return base | changes


def send(http: TestClient, *rows: Mapping[str, Any], key: str = "a") -> Any:
    return http.post("/v1/firms/observations", json={"observations": list(rows)}, headers={"Idempotency-Key": key})


def predict(http: TestClient, body: Any) -> Any:
    content = body if isinstance(body, str) else json.dumps(body)
    return http.post("/v1/leakage/predict", content=content, headers={"content-type": "application/json"})


def test_an_answer_is_that_of_the_predictor(http: TestClient) -> None:
    asked = {"name": "dear", "price_eur_per_t": {"2026": 80, "2035": 200}, "coverage_share": {"STL": 0.5}}
    reply = predict(http, {"policies": [asked, {"years": 3}], "level": 0.8, "cube": True})
    told = LeakageReply.model_validate_json(reply.content)
    settings = ["policy.price={2026: 80, 2035: 200}", "policy.coverage.STL=0.5"]
    wanted = predict_leakage("law", settings=settings, level=0.8)
    one, other = told.predictions
    headline = one.headlines.leakage_rate_10_years
    assert wanted.answers.one("leakage_rate_10_years") == pytest.approx((headline.low, headline.mean, headline.high))
    assert one.years.leakage_rate.mean == pytest.approx(list(wanted.years["leakage_rate"]), nan_ok=True)
    assert dict(zip(one.sectors.sector, one.sectors.leaked_mt_10_years.high, strict=True)) == pytest.approx(
        dict(zip(wanted.sectors["sector"], wanted.sectors["high"], strict=True)), rel=1e-5, abs=1e-5
    )
    assert one.cube is not None
    by_partner = [
        sum(map(sum, zip(*(year[p] for year in one.cube.foreign_increase_mt), strict=True))) for p in range(11)
    ]
    assert by_partner == pytest.approx(one.partners.leaked_mt_10_years.mean, rel=1e-3, abs=1e-3)
    assert (other.years.year, len(other.years.leakage_rate.mean)) == ([2026, 2027, 2028], 3)
    assert told.model.model_sha256 == wanted.asked.saved.card.model_sha256


def test_a_batch_has_the_answers_of_its_policies_alone(http: TestClient) -> None:
    policies = [{"price_eur_per_t": {"2026": price}} for price in (20, 80, 300)]
    together = predict(http, {"policies": policies}).json()["predictions"]
    alone = [predict(http, {"policies": [one]}).json()["predictions"][0] for one in policies]
    for one, other in zip(together, alone, strict=True):
        assert one["years"]["foreign_increase_mt"]["mean"] == pytest.approx(
            other["years"]["foreign_increase_mt"]["mean"], rel=1e-4, abs=1e-4
        )


def test_outside_what_was_simulated_intervals_are_withheld_and_the_input_is_named(http: TestClient) -> None:
    (one,) = predict(http, {"policies": [{"price_eur_per_t": {"2026": 900}}]}).json()["predictions"]
    assert one["reliable"] is False
    assert {each["name"] for each in one["flags"]["outside"]} >= {"price.2026"}
    assert one["headlines"]["leakage_rate_10_years"]["low"] is None


POLICY = "policies.0."
REFUSED = [
    ('{"policies":[{"price_eur_per_t":{"2035":NaN}}]}', POLICY + "price_eur_per_t.2035"),
    ('{"policies":[{"price_eur_per_t":{"2035":1e999}}]}', POLICY + "price_eur_per_t.2035"),
    ('{"policies":[{"price_eur_per_t":{"2035":-Infinity}}]}', POLICY + "price_eur_per_t.2035"),
    ({"policies": [{"price_eur_per_t": {"2035": 80_000}}]}, POLICY + "price_eur_per_t.2035"),  # cents
    ({"policies": [{"price_eur_per_t": {"2035": "80"}}]}, POLICY + "price_eur_per_t.2035"),
    ({"policies": [{"price_eur_per_t": {"3035": 80}}]}, POLICY + "price_eur_per_t.3035"),
    ({"policies": [{"price_eur_per_t": {}}]}, POLICY + "price_eur_per_t"),
    ({"policies": [{"price": {"2035": 80}}]}, POLICY + "price"),
    ({"policies": [{"price_usd_per_t": {"2035": 80}}]}, POLICY + "price_usd_per_t"),
    ({"policies": [{"export_rebate_share": 50}]}, POLICY + "export_rebate_share"),  # per cent
    ({"policies": [{"cbam": 1}]}, POLICY + "cbam"),
    ({"policies": [{"years": 1000}]}, POLICY + "years"),
    ({"policies": [{"years": 2.5}]}, POLICY + "years"),
    ({"policies": [{"scenario": "nowhere"}]}, POLICY + "scenario"),
    ({"policies": [{"scenario": "../../etc/passwd"}]}, POLICY + "scenario"),
    ({"policies": [{"scenario": "test-arm"}]}, POLICY + "scenario"),
    ({"policies": [{"coverage_share": {"XXX": 0.5}}]}, POLICY + "coverage_share.XXX"),
    ({"policies": [{"partner_price_eur_per_t": {"EU26": 5}}]}, POLICY + "partner_price_eur_per_t.EU26"),
    ({"policies": []}, "policies"),
    ({"policies": [{}] * 1001}, "policies"),
    ({"policies": [{}], "level": 0.99}, "level"),
    ({"policies": [{}], "other": 1}, "other"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
def test_bad_policies_are_refused_by_field(http: TestClient, body: Any, field: str) -> None:
    reply = predict(http, body)
    told = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert told["errors"][0]["field"].startswith(field)
    assert told["detail"].startswith(field)


ROW = "observations.0."
BAD_ROWS = [
    (seen(output_musd_per_year=-1), ROW + "output_musd_per_year"),
    (seen(output_musd_per_year=2e9), ROW + "output_musd_per_year"),  # dollars
    (seen(emissions_t_per_year=3e12), ROW + "emissions_t_per_year"),  # grams
    (seen(emissions_kg_per_year=3e9), ROW + "emissions_kg_per_year"),
    (seen(price_index=0), ROW + "price_index"),
    (seen(time="2026-02-01T00:00:00"), ROW + "observed_at"),
    (seen(time="yesterday"), ROW + "observed_at"),
    (seen(time="9999-01-01T00:00:00Z"), ROW + "observed_at"),
    (seen(time="1789-07-14T00:00:00Z"), ROW + "observed_at"),
    (seen(observed_at=1.7e9), ROW + "observed_at"),
    (seen(firm_id="one firm"), ROW + "firm_id"),
    (seen(firm_id="stranger"), ROW + "cell"),
    (seen(cell="EU26"), ROW + "cell"),
    (seen(firm_id="stranger", cell="XXX-STL"), ROW + "cell"),
    (seen(cell="EU26-CEM"), ROW + "cell"),  # a plant of the list that makes steel
    (seen(emissions_t_per_year=3.0), ROW + "emissions_t_per_year"),  # Mt
    (seen(emissions_t_per_year=600.0), ROW + "emissions_t_per_year"),  # kt
    (seen(output_musd_per_year=9e5, emissions_t_per_year=9e7), ROW + "output_musd_per_year"),  # more than all of EU26
    (seen(output_musd_per_year=2e-3, emissions_t_per_year=3e6), ROW + "emissions_t_per_year"),  # billions
]


@pytest.mark.parametrize(("row", "field"), BAD_ROWS)
def test_bad_rows_are_refused_by_field_and_nothing_of_the_request_is_stored(
    http: TestClient, service: Service, row: Any, field: str
) -> None:
    reply = send(http, row, seen())
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)
    assert verify(service.engine).rows == 0


def test_what_is_no_json_or_does_not_say_so_is_refused(http: TestClient) -> None:
    assert predict(http, "{").status_code == 400
    assert predict(http, '{"policies":' + "[" * 100_000).status_code in (400, 422)
    assert http.post("/v1/leakage/predict", content="{}", headers={"content-type": "text/plain"}).status_code == 415
    missing = http.post("/v1/firms/observations", json={"observations": [seen()]})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "idempotency-key")
    assert http.get("/v1/risk?colour=red").json()["errors"] == [{"field": "colour", "rule": "unknown field"}]
    assert http.get("/nowhere").json()["status"] == 404
    wrong = http.delete("/v1/simulations")
    assert (wrong.json()["status"], wrong.headers["allow"]) == (405, "GET, POST")
    assert http.get("/v1/models?active=true").json()["errors"] == [{"field": "active", "rule": "unknown field"}]


def test_a_body_beyond_the_limit_is_413_whether_it_says_its_length_or_not(make_service: Any, tmp_path: Any) -> None:
    app = make_app(make_service(tmp_path, body_bytes=2000))
    with TestClient(app, raise_server_exceptions=False) as http:
        long = b'{"policies": [' + b" " * 5000 + b"{}]}"
        said = http.post("/v1/leakage/predict", content=long, headers={"content-type": "application/json"})
        pieces = (long[start : start + 100] for start in range(0, len(long), 100))
        chunked = http.post("/v1/leakage/predict", content=pieces, headers={"content-type": "application/json"})
    assert (said.status_code, chunked.status_code) == (413, 413)
    assert chunked.json()["title"]


def test_a_receipt_is_the_same_for_the_same_request_and_other_content_is_refused(http: TestClient) -> None:
    first, again = send(http, seen()), send(http, seen())
    other = send(http, seen(output_musd_per_year=1000.0))
    assert (first.status_code, first.json()) == (200, again.json())
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "idempotency-key")


def test_a_firm_stays_in_its_cell_and_others_of_that_moment_are_stored(http: TestClient, service: Service) -> None:
    firm = {"firm_id": "stranger", "emissions_t_per_year": 0.0}
    send(http, seen(cell="EU26-STL", **firm))
    moved = send(http, seen(), seen(cell="EU26-CEM", **firm), key="b")
    assert (moved.status_code, moved.json()["errors"][0]["field"]) == (422, "observations.1.cell")
    assert verify(service.engine).rows == 1
    assert send(http, seen(), seen(**firm), key="c").json()["batch"] == 2  # its cell is known


def test_a_firm_that_another_replica_knows_need_not_name_its_cell(
    http: TestClient, make_service: Any, tmp_path: Any
) -> None:
    firm = {"firm_id": "stranger", "emissions_t_per_year": 0.0}
    with TestClient(make_app(make_service(tmp_path))) as other:  # of the same store
        assert send(other, seen(cell="EU26-STL", **firm)).status_code == 200
    assert send(http, seen(**firm), key="b").status_code == 200


def test_a_firm_is_told_by_event_time_with_its_history(http: TestClient) -> None:
    times = ["2026-03-01T00:00:00Z", "2026-05-01T02:00:00+02:00", "2026-04-01T00:00:00Z"]
    for number, time in enumerate(times):
        send(http, seen(time=time, output_musd_per_year=100.0 + number), key=str(number))
    told = http.get(f"/v1/firms/{PLANT}?limit=2").json()
    rest = http.get(f"/v1/firms/{PLANT}?limit=2&before={told['next_before']}").json()
    assert (told["state"]["output_musd_per_year"], told["state"]["observed_at"]) == (101.0, "2026-05-01T00:00:00Z")
    assert [one["output_musd_per_year"] for one in told["history"] + rest["history"]] == [102.0, 101.0, 100.0]
    assert rest["next_before"] is None
    assert http.get("/v1/firms/nobody").status_code == 404


def test_zero_without_a_sign_is_what_is_stored(http: TestClient, service: Service) -> None:
    assert send(http, seen(output_musd_per_year=-0.0, emissions_t_per_year=-0.0)).status_code == 200
    assert verify(service.engine).faults == ()


def test_exposure_counts_what_was_acknowledged(http: TestClient) -> None:
    before = http.get("/v1/risk?limit=1000").json()
    mine = next(row for row in before["rows"] if row["plant_id"] == PLANT)
    assert (before["batch"], mine["observed_at"], mine["leaked_mt"]) == (0, None, mine["leaked_mt_unobserved"])
    send(http, seen(output_musd_per_year=2 * mine["output_musd"], emissions_t_per_year=4e6 * mine["emissions_mt"]))
    after = http.get("/v1/risk?observed=true").json()
    (row,) = after["rows"]
    assert (after["batch"], after["total"], row["plant_id"]) == (1, 1, PLANT)
    assert row["leaked_mt"] > mine["leaked_mt"]
    assert row["leaked_mt_unobserved"] == pytest.approx(mine["leaked_mt"])
    assert row["emissions_mt"] == pytest.approx(4 * mine["emissions_mt"], rel=0.1)


def test_data_that_say_what_was_inferred_change_nothing(http: TestClient) -> None:
    before = http.get("/v1/risk?limit=1000").json()["rows"]
    rows = [
        seen(row["plant_id"], output_musd_per_year=row["output_musd"], emissions_t_per_year=1e6 * row["emissions_mt"])
        for row in before
    ]
    assert send(http, *rows).status_code == 200
    after = http.get("/v1/risk?limit=1000").json()["rows"]
    leaked = [{row["plant_id"]: row["leaked_mt"] for row in table} for table in (before, after)]
    assert leaked[0] == pytest.approx(leaked[1], rel=1e-6, abs=1e-9)


def test_a_firm_of_no_list_joins_the_ranking_of_its_cell(http: TestClient) -> None:
    send(http, seen("new-mill", cell="EU26-STL", output_musd_per_year=500.0, emissions_t_per_year=2e6))
    rows = http.get("/v1/risk?observed=true&sector=STL").json()["rows"]
    assert [row["plant_id"] for row in rows] == ["new-mill"]
    cells = {row["cell"]: row for row in http.get("/v1/risk?kind=cells").json()["rows"]}
    assert (cells["EU26-STL"]["observed_plants"], cells["EU26-CEM"]["observed_plants"]) == (1, 0)


def test_pages_of_a_ranking_are_its_rows_in_order(http: TestClient) -> None:
    whole = http.get("/v1/risk?limit=20&country=DE").json()
    pages = [http.get(f"/v1/risk?limit=10&offset={start}&country=DE").json()["rows"] for start in (0, 10)]
    assert pages[0] + pages[1] == whole["rows"]
    assert {row["country"] for row in whole["rows"]} == {"DE"}
    assert all(
        one["leaked_mt"] >= other["leaked_mt"] for one, other in zip(whole["rows"], whole["rows"][1:], strict=False)
    )


OF_NOBODY = ["sector=QQQ", "country=XX", "country=DE&kind=cells", "company=a&kind=cells"]


@pytest.mark.parametrize(("query", "field"), [(query, query.partition("=")[0]) for query in OF_NOBODY])
def test_a_filter_that_nobody_could_pass_is_refused_by_name(http: TestClient, query: str, field: str) -> None:
    reply = http.get(f"/v1/risk?{query}")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


def test_keys_open_what_their_scopes_say_once_there_is_one(http: TestClient, service: Service) -> None:
    assert http.get("/v1/models").status_code == 200
    reader, writer = keys.create(service.engine, "r", ["read"]), keys.create(service.engine, "w", ["write"])

    def status(method: str, path: str, key: str | None = None) -> int:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return http.request(method, path, headers=headers).status_code

    assert status("GET", "/v1/models") == 401
    assert status("GET", "/v1/models", reader + "x") == 401
    assert status("GET", "/v1/models", reader) == 200
    assert status("POST", "/v1/firms/observations", reader) == 403
    assert status("POST", "/v1/simulations", writer) == 403
    assert status("GET", "/metrics") == 401
    assert status("GET", "/healthz") == 200
    assert http.get("/v1/models").headers["www-authenticate"] == "Bearer"
    keys.revoke(service.engine, reader.split("_")[1])
    assert status("GET", "/v1/models", reader) == 401


def test_another_model_answers_after_a_swap_and_one_that_is_spoilt_changes_nothing(
    http: TestClient, service: Service, tmp_path: Any
) -> None:
    import shutil

    from carbonray.predict.folder import BUILT_IN, PredictError

    shutil.copytree(BUILT_IN, tmp_path / "second")
    service.swap(Swap(model=tmp_path / "second", others=(BUILT_IN,)))
    assert predict(http, {"policies": [{}]}).json()["model"]["name"] == "second"
    assert [(one["name"], one["active"]) for one in http.get("/v1/models").json()["models"]] == [
        ("second", True), ("built", False),
    ]  # fmt: skip
    with pytest.raises(PredictError):
        service.swap(Swap(model=tmp_path / "nowhere"))
    assert http.get("/readyz").json()["model"] == "second"


def test_a_failure_is_a_problem_without_a_trace(http: TestClient, service: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "ranking", lambda *_: 1 / 0)
    reply = http.get("/v1/risk")
    assert (reply.status_code, reply.headers["content-type"]) == (500, "application/problem+json")
    assert "ZeroDivision" not in reply.text
    assert "/" not in reply.json()["detail"]


def test_the_log_of_accesses_has_no_payloads_and_no_keys(http: TestClient, service: Service, caplog: Any) -> None:
    given = keys.create(service.engine, "w", ["read", "write"])
    with caplog.at_level("INFO", "ray.serve.carbonray"):
        http.get("/v1/risk?company=SECRET", headers={"authorization": f"Bearer {given}"})
    (line,) = [record.getMessage() for record in caplog.records if "/v1/risk" in record.getMessage()]
    assert line.startswith(f"{given.split('_')[1]} GET /v1/risk 200")
    assert "SECRET" not in line
    assert given not in line


def test_metrics_count_requests_rows_and_policies(http: TestClient) -> None:
    send(http, seen(), seen("NL-128"))
    predict(http, {"policies": [{}, {}]})
    told = http.get("/metrics").text
    assert "carbonray_observations_total 2.0" in told
    assert "carbonray_policies_total 2.0" in told
    assert 'carbonray_requests_total{method="POST",route="/v1/firms/observations",status="200"} 1.0' in told


def test_a_full_disk_is_503_with_nothing_acknowledged_and_the_service_goes_on(
    http: TestClient, service: Service
) -> None:
    assert send(http, seen(), key="before").status_code == 200
    with service.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()

    def limited(count: int) -> None:
        service.engine.dispose()  # the limit belongs to a connection
        service.limit = count  # type: ignore[attr-defined]

    from sqlalchemy import event

    limited(int(pages or 0))

    @event.listens_for(service.engine, "connect")
    def full(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {service.limit}")  # type: ignore[attr-defined]

    many = [seen(f"F{n}", cell="EU26-STL") for n in range(3000)]
    refused = send(http, *many, key="full")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert http.get(f"/v1/firms/{PLANT}").status_code == 200
    assert http.get("/v1/firms/F1").status_code == 404
    limited(1_000_000)
    assert send(http, *many, key="full").json()["rows"] == 3000
    found = verify(service.engine)
    assert (found.rows, found.faults) == (3001, ())


def test_shutdown_finishes_what_is_under_way(service: Service) -> None:
    import asyncio

    rows = [Row(f"F{number}", "EU26-STL", number, 1.0, 2.0, None) for number in range(5000)]
    one = Batch(request="/last", rows=rows, content_sha256=content_of(rows))

    async def closed_at_once() -> Any:
        asked = asyncio.create_task(service.appending.ask(one))
        await asyncio.sleep(0)  # it has been taken, and nothing of it is done
        await service.close()
        return await asked

    stored = asyncio.run(closed_at_once())
    assert (stored.rows, verify(service.engine, holds=stored.chain_sha256).holds) == (5000, True)
