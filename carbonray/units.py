"""Internal units, and named unit types for configuration.

Inside the library money is million USD of 2011 (every base price is 1), mass Mt CO2, time a quarter; an intensity
is t CO2 per USD, so intensity times a price in USD per t is a share of the product's base price.
"""

from typing import Annotated

from pydantic import Field

QUARTERS = 4  # steps a year

USD_2011_PER_EURO_2026 = 1.0
"""One euro of 2026 is close to one dollar of 2011: exchange rate 1.39, prices up about 40 % since (assumption)."""

EuroPerTonne = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
"""A carbon price, EUR of 2026 per t CO2."""

UnitInterval = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A share or rate between 0 and 1."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above zero."""

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number, zero or above."""

RatePerYear = Annotated[float, Field(ge=-0.5, le=0.5, allow_inf_nan=False)]
"""Growth a year; 0.02 is two per cent."""
