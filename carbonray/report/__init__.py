"""The report room: a run directory as one self-contained page and its figures."""

from carbonray.report.charts import Chart
from carbonray.report.gallery import figures
from carbonray.report.pages import write_report
from carbonray.report.run_directory import ReportError, Run, read_run

__all__ = ["Chart", "ReportError", "Run", "figures", "read_run", "write_report"]
