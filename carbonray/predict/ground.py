"""What a predictor stands on: the economy that its runs share, and what they have in common."""

import numpy as np

from carbonray.config import Scenario, by_sector
from carbonray.data.worlds import economy_of
from carbonray.learn.policy_folder import Saved
from carbonray.predict.gather import Ground
from carbonray.predict.inputs import Layout
from carbonray.predict.quantities import Place
from carbonray.predict.space import base_scenario
from carbonray.runtime.shard import RULES
from carbonray.runtime.simulate_cbam import fit_for
from carbonray.worlds.cbam import Economy


def ground_of(*, firms: int, seed: int, economy: str = "goods-2026", policy: Saved | None = None) -> Ground:
    """The common ground of all runs of a build, whose firms follow rules or a trained policy."""
    base = base_scenario(economy)
    base = base if policy is None else fit_for(base, policy)
    tables = economy_of(base)
    behaviour = RULES if policy is None else policy.trained
    return Ground(
        base=base, economy=tables, layout=layout_of(base, tables), firms=firms, seed=seed, behaviour=behaviour
    )


def layout_of(base: Scenario, economy: Economy) -> Layout:
    """The inputs that an economy's predictor has."""
    partners = tuple(region for region in economy.regions if region not in base.home)
    return Layout(sectors=economy.sectors, partners=partners)


def place_of(base: Scenario, economy: Economy) -> Place:
    """What is needed of an economy to add its figures up."""
    home = np.isin(economy.regions, base.home)
    coverage = by_sector(economy.sectors, base.policy.coverage, 0.0)
    by_sector_at_home = [values.reshape(len(home), -1)[home].sum(0) for values in (economy.emissions, economy.output)]
    return Place(
        sectors=economy.sectors,
        partners=tuple(np.array(economy.regions)[~home].tolist()),
        covered=tuple(sector for sector, share in zip(economy.sectors, coverage, strict=True) if share > 0),
        home_emissions=by_sector_at_home[0],
        home_output=by_sector_at_home[1],
    )
