"""What a table must look like: columns with units, and the key that makes a row unique.

The builder writes tables by these descriptions and the loader checks tables against them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from carbonray.data.arrow import arrow

Kind = Literal["text", "number", "integer"]

FRICTIONLESS_TYPES: dict[Kind, str] = {"text": "string", "number": "number", "integer": "integer"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its name, kind, unit and the values it may hold."""

    name: str
    kind: Kind
    description: str
    unit: str = ""  # empty for codes and plain text
    required: bool = True  # False: the cell may be empty
    minimum: float | None = None
    noun: str = "value"  # what one cell is called in an error message

    @property
    def rule(self) -> str:
        """The rule in words, as it ends an error message."""
        what = {"text": "text", "number": "a finite number", "integer": "a whole number"}[self.kind]
        bound = "" if self.minimum is None else f" >= {self.minimum:g}"
        return f"every {self.noun} must be {what}{bound}"

    def arrow_field(self) -> Any:
        """The Arrow field, with unit and description in its metadata."""
        types = {"text": arrow.string(), "number": arrow.float64(), "integer": arrow.int64()}
        metadata = {"unit": self.unit, "description": self.description}
        return arrow.field(self.name, types[self.kind], nullable=not self.required, metadata=metadata)

    def as_frictionless(self) -> dict[str, Any]:
        """The field descriptor of the Frictionless Table Schema, with the unit added."""
        constraints: dict[str, Any] = {"required": self.required}
        if self.minimum is not None:
            constraints["minimum"] = self.minimum
        return {
            "name": self.name,
            "type": FRICTIONLESS_TYPES[self.kind],
            "unit": self.unit,
            "description": self.description,
            "constraints": constraints,
        }


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where figures come from and on which terms they may be passed on."""

    title: str
    publisher: str
    licence: str
    licence_path: str
    path: str = ""  # address of the original, where there is one
    notice: str = ""  # copyright notice and conditions, where the licence wants them beside the figures


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One built-in table: file, columns, key and provenance."""

    name: str
    path: str  # relative to the datasets folder
    title: str
    year: str  # the year or years that the figures describe
    method: str  # plain words; may hold {figures} that the builder measures
    columns: tuple[Column, ...]
    key: tuple[str, ...]  # columns that together make a row unique
    sources: tuple[Source, ...]

    def arrow_schema(self) -> Any:
        """Schema of the Parquet file."""
        return arrow.schema([column.arrow_field() for column in self.columns])
