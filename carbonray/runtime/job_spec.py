"""Job specifications: a command for a cluster and what it needs there, as a file.

run: sweep law moderate --seeds 0-9 --out /data/sweeps/first
env: {OMP_NUM_THREADS: 1}
"""

import shlex
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from carbonray.runtime.job_order import JobError


def _words(given: Any) -> Any:
    words = tuple(shlex.split(given)) if isinstance(given, str) else given
    return words[1:] if words and words[0] == "carbonray" else words


class JobSpec(BaseModel):
    """What a specification may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, coerce_numbers_to_str=True)

    run: Annotated[tuple[str, ...], BeforeValidator(_words)]
    """The command line, without `carbonray`."""
    id: str | None = None
    """Name of the job; made of the command and its files if left out."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables; whoever sees the dashboard can read them."""
    pip: tuple[str, ...] = ()
    """Requirements that are installed for the job."""
    python: str = "python"
    """Interpreter on the cluster."""
    ship: bool = False
    """Whether this carbonray travels along."""


def is_spec(word: str) -> bool:
    """Whether a word names a specification instead of a command."""
    return word.endswith((".yaml", ".yml"))


def read_spec(file: Path) -> JobSpec:
    """Read a specification.

    Raises:
        JobError: naming the file, and the key and rule where one is broken.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return JobSpec.model_validate(content)
    except OSError as error:
        raise JobError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise JobError(f"{file}: is no YAML ({str(error).splitlines()[0]})") from None
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        rule = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise JobError(f"{file}: {key}: {rule}" if key else f"{file}: is no job specification") from None
