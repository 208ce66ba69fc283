"""One run of a sweep, as a process of this machine or a task of a cluster carries it out."""

import traceback
from dataclasses import dataclass

from carbonray.config import ScenarioError
from carbonray.counterfactual.sweep_columns import Layout, Tables, tables_of
from carbonray.counterfactual.sweep_plan import Plan, Run
from carbonray.data import DataError
from carbonray.runtime.inprocess import threads
from carbonray.runtime.simulate import simulate
from carbonray.runtime.uncertainty import FAILURES
from carbonray.runtime.work import Work


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a run has no figures."""

    kind: str
    message: str
    trace: str = ""  # of a fault of the program; what a model may fail of needs none


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a run."""

    number: int
    tables: Tables | None = None
    failure: Failure | None = None


def carry_out(layout: Layout, run: Run) -> Answer:
    """Simulate one run on one thread and give the rows it adds; whatever it fails of is an answer too."""
    try:
        layout.origin.check(run.scenario)
        with threads(1):
            result = simulate(run.scenario, robust=False)
            if result.summary["interrupted"]:
                return lost(run.number, "the run was interrupted")
            return Answer(number=run.number, tables=tables_of(layout, run, result))
    except (*FAILURES, ScenarioError, DataError) as error:
        return Answer(number=run.number, failure=Failure(kind=type(error).__name__, message=str(error)))
    except Exception as error:
        failure = Failure(kind=type(error).__name__, message=str(error), trace=traceback.format_exc())
        return Answer(number=run.number, failure=failure)


def lost(number: int, message: str) -> Answer:
    """The answer for a run that nobody finished."""
    return Answer(number=number, failure=Failure(kind="lost", message=message))


def work_of(plan: Plan, layout: Layout) -> Work[Layout, Run, Answer]:
    """The runs of a plan, by their numbers."""
    return Work(function=carry_out, shared=layout, task=plan.run, lost=lost)
