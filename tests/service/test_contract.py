"""The OpenAPI document is what the service does: schemathesis asks what it allows, and what it forbids."""

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from serve.http import make_app
from serve.service import opened

EXAMPLES = 25
"""Of each operation."""
FOLDER = tempfile.TemporaryDirectory(prefix="carbonray-contract-")
NOT_IN_THE_DOCUMENT = ("positive_data_acceptance", "unsupported_method", "missing_required_header")
"""Left out: what no schema can list (scenarios, sectors, firms) is refused; test_routes looks at the others."""


def _app() -> Any:
    """A service whose cluster never answers: what is submitted is 503, which the document has."""
    where = Path(FOLDER.name)
    given = {"store": f"sqlite:///{where}/store.db", "runs": str(where / "runs"), "jobs": "http://127.0.0.1:1"}
    return make_app(opened(given))


schema = schemathesis.openapi.from_asgi("/openapi.json", _app(), config=SchemathesisConfig())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate], derandomize=True,
)  # fmt: skip
def test_no_answer_is_5xx_but_503_and_none_violates_the_document(case: schemathesis.Case) -> None:
    checks = [check for check in CHECKS.get_all() if check.__name__ not in NOT_IN_THE_DOCUMENT]
    answer = case.call()
    if answer.status_code == 503:
        assert case.path.startswith("/v1/simulations")
        checks = [check for check in checks if check.__name__ != "not_a_server_error"]
    case.validate_response(answer, checks=checks)
