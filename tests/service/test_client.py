"""The client: typed answers, refusals in one line, tries again where that is safe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from carbonray import cli_query
from carbonray.client import Client, ServiceError
from carbonray.client.asked import policy_case
from carbonray.client.messages import PolicyCase, Problem, ProblemError
from carbonray.client.observed_file import batches, placed
from carbonray.config import ScenarioError

RECEIPT = {"batch": 1, "rows": 1, "received_at": "2026-01-01T00:00:00Z", "content_sha256": "a", "chain_sha256": "b"}
ROW = {"firm_id": "F1", "cell": "EU26-STL", "observed_at": "2026-01-01T00:00:00Z", "output_musd_per_year": 1.0,
       "emissions_t_per_year": 2.0}  # fmt: skip
HEAD = "firm_id,observed_at,output_musd_per_year,emissions_t_per_year"


class Answers:
    """A service that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | type[Exception]) -> None:
        self.asked: list[httpx.Request] = []
        self.waited: list[float] = []
        self._answers: Iterator[Any] = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("lost", request=request)

    def client(self, **options: Any) -> Client:
        return Client(transport=httpx.MockTransport(self), sleep=self.waited.append, **options)


def test_what_was_lost_or_refused_for_now_is_asked_again_under_the_same_idempotency_key() -> None:
    answers = Answers(
        httpx.ConnectError, httpx.Response(503, headers={"retry-after": "3"}), httpx.Response(200, json=RECEIPT)
    )
    assert answers.client(key="K").observe([ROW]).batch == 1
    assert len({request.headers["idempotency-key"] for request in answers.asked}) == 1
    assert answers.asked[0].headers["authorization"] == "Bearer K"
    assert len(answers.waited) == 2
    assert 3 <= answers.waited[1] <= 3.75  # what the service asked for


def test_tries_end_and_waits_grow() -> None:
    answers = Answers(*[httpx.ReadTimeout] * 4)
    with pytest.raises(ServiceError, match=r"does not answer \(ReadTimeout\)"):
        answers.client(tries=4).models()
    assert len(answers.asked) == 4
    assert len(answers.waited) == 3
    assert answers.waited[2] > answers.waited[0] / 2


def test_a_refusal_is_one_line_and_not_asked_again() -> None:
    told = {"title": "Unprocessable Entity", "status": 422, "detail": "policies.0.scenario: unknown", "errors": []}
    answers = Answers(httpx.Response(422, json=told))
    with pytest.raises(ServiceError, match=r"^policies\.0\.scenario: unknown$") as refused:
        answers.client().predict({"scenario": "nowhere"})
    assert refused.value.status == 422
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    ("policy", "line"),
    [({"price": 3}, "policies.0.price: unknown field"), ({"years": 99}, "policies.0.years: Input should be less")],
)
def test_bad_input_never_leaves(policy: Any, line: str) -> None:
    answers = Answers()
    with pytest.raises(ServiceError, match=line):
        answers.client().predict(policy)
    assert answers.asked == []


def test_what_a_later_service_adds_is_passed_over() -> None:
    answers = Answers(httpx.Response(200, json=RECEIPT | {"planet": "earth"}))
    assert answers.client().observe([ROW]).rows == 1


def test_what_makes_no_request_is_refused_in_one_line() -> None:
    with pytest.raises(ServiceError, match=r"^127.0.0.1:8000: give the address as http://HOST:PORT$"):
        Client("127.0.0.1:8000")
    with pytest.raises(ServiceError, match=r"^years: "):
        policy_case("law", ["years=20"])
    with pytest.raises(ServiceError, match=r"^cube: for up to 100"):
        Answers().client().predict(*[{"name": "a"}] * 101, cube=True)


def test_years_may_be_numbers() -> None:
    answers = Answers(httpx.Response(422, json={}))
    with pytest.raises(ServiceError):
        answers.client().predict({"price_eur_per_t": {2026: 80}})
    assert b'{"2026":80.0}' in answers.asked[0].content


def test_a_scenario_is_asked_in_the_fields_of_a_request(tmp_path: Path) -> None:
    assert policy_case("law", ["policy.price.2035=200", "policy.coverage.STL=0.5"]).model_dump(exclude_none=True) == {
        "name": "law", "scenario": "law", "years": 10,
        "price_eur_per_t": policy_case("law", ["policy.price.2035=200"]).price_eur_per_t,
        "coverage_share": policy_case("law", ["policy.coverage.STL=0.5"]).coverage_share,
    }  # fmt: skip
    assert policy_case("cbam/no-cbam") == PolicyCase(name="no-cbam", scenario="no-cbam")
    (tmp_path / "mine.yaml").write_text("years: 5\npolicy: {cbam: false, support_home: {2026: 0.2}}\n")
    mine = policy_case(str(tmp_path / "mine.yaml"))
    assert (mine.name, mine.scenario, mine.years, mine.cbam, mine.support_home_share) == ("mine", "law", 5, False, 0.2)
    for target, setting in (
        ("law", "market.final_demand_other=0.5"),
        ("law", "policy.support_home={2026: 0, 2030: 1}"),
    ):
        with pytest.raises(ScenarioError, match="carbonray predict"):
            policy_case(target, [setting])
    with pytest.raises(ScenarioError, match="no leakage to predict"):
        policy_case("climate-negotiation/club")


def test_rows_of_a_file_have_the_same_keys_also_where_others_have_changed(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([f"{HEAD},price_index", *(f"F{n},2026-01-01T00:00:00Z,1,2," for n in range(1500))]))
    first = list(batches(file))
    assert [(line, len(rows)) for _, line, rows in first] == [(2, 1000), (1002, 500)]
    assert first[0][2][0].price_index is None
    file.write_text(file.read_text().replace("F1499,2026", "F1499,2025"))
    again = list(batches(file))
    assert first[0][0] == again[0][0]
    assert first[1][0] != again[1][0]
    assert [name for name, _, _ in batches(file, "mine")] == ["mine-0", "mine-1"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("firm_id,tonnes\nF1,3\n", "tonnes: unknown column; there are firm_id,"),
        ("", "has no rows"),
        (f"{HEAD}\n", "has no rows"),
        (f"{HEAD}\nF1,2026-01-01T00:00:00Z,1,2\nF2,2026-01-01T00:00:00Z,1,2,\n", "line 3: has 5 values for 4 columns"),
        (f"{HEAD}\nF1,1782000000,1,2\n", "line 2: observed_at: give a time such as"),
        (f"{HEAD}\nF1,2026-01-01T00:00:00Z,-1,2\n", "line 2: output_musd_per_year: Input should be greater than"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_by_line_before_anything_is_sent(
    tmp_path: Path, content: str, rule: str
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(ScenarioError, match=f"rows.csv: {rule}"):
        next(batches(tmp_path / "rows.csv"))


def test_what_the_service_refuses_is_told_by_line() -> None:
    errors = [ProblemError(field="observations.3.cell", rule="is no cell")]
    problem = Problem(title="", status=422, detail="", errors=errors)
    found = placed(Path("rows.csv"), 1002, ServiceError("a", status=422, problem=problem))
    assert str(found) == "rows.csv: line 1005: cell: is no cell"


def test_the_command_line_prints_what_the_service_told(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"target": "law", "world": "cbam", "summary": "The law.", "predictable": True}
    answers = Answers(httpx.Response(200, json={"scenarios": [entry]}))
    made: Callable[[str], Client] = lambda url: answers.client(address=url)  # noqa: E731
    monkeypatch.setattr("carbonray.client.Client", made)
    found = CliRunner().invoke(cli_query.query, ["scenarios", "--url", "http://there:1"])
    assert found.output.split() == ["law", "predictable", "The", "law."]
    assert answers.asked[0].url == "http://there:1/v1/scenarios"
