"""Arrow as the data room uses it: pyarrow is only partly typed, so both modules are passed on as Any."""

from typing import Any

import pyarrow
import pyarrow.parquet

arrow: Any = pyarrow
parquet: Any = pyarrow.parquet
