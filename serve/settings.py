"""What `serve/config.yaml` may say of the service; anything else is refused by name."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

CHECKOUT = Path(__file__).parents[1]


VARIABLE = "CARBONRAY_"
"""What the variable of a setting begins with: CARBONRAY_STORE is that of `store`."""


class Settings(BaseModel):
    """Arguments of the application; what a config file leaves out is taken from the environment where it is built."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    store: str = "sqlite:///runs/service/store.db"
    """SQLAlchemy URL: sqlite:///FILE (a relative one lies in the checkout), or postgresql+psycopg://HOST/NAME.  What a
    URL of PostgreSQL leaves out is that of its own variables: PGHOST, PGUSER, PGPASSWORD."""
    store_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a store that does not answer is waited for when the application is built."""
    body_bytes: Annotated[int, Field(ge=1024)] = 8_000_000
    """Largest body of a request."""
    waiting: Annotated[int, Field(ge=1)] = 256
    """Requests of a kind that may wait in a replica; what comes beyond is answered 503."""
    keys_seconds: Annotated[float, Field(ge=0)] = 2.0
    """How long a replica remembers the API keys: so long does a revoked key live on."""
    jobs: str | None = None
    """Dashboard of the cluster that simulations are submitted to; this very cluster's if left out."""
    python: str = sys.executable
    """Interpreter of these jobs on the cluster."""
    runs: Path = Path("runs/service/simulations")
    """Folder of their results, which replicas and jobs share; a relative one lies in the checkout."""
    jobs_at_once: Annotated[int, Field(ge=1)] = 2
    """Simulations that may be pending or running; what comes beyond is answered 503."""

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        variables = {name: f"{VARIABLE}{name.upper()}" for name in cls.model_fields}
        return {name: os.environ[key] for name, key in variables.items() if key in os.environ} | dict(given)

    @property
    def store_url(self) -> str:
        """With the file's whole path."""
        kind, separator, file = self.store.partition(":///")
        return f"{kind}:///{CHECKOUT / file}" if kind == "sqlite" and separator and file else self.store

    @property
    def runs_folder(self) -> Path:
        """The whole path."""
        return CHECKOUT / self.runs


class Swap(BaseModel):
    """What `user_config` may say; replicas take it up without a pause."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: Path | None = None
    """Folder of the predictor that answers; the one that ships if left out."""
    others: tuple[Path, ...] = ()
    """Folders of predictors that /v1/models lists beside it."""
