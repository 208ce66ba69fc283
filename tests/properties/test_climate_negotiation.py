"""What holds of the climate negotiation world for any actions: conservation, legality, symmetry, same bytes."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.data.rice import load_parameters
from carbonray.runtime import inprocess
from carbonray.runtime.negotiation_run import moments, run
from carbonray.runtime.negotiation_trajectory import replay
from carbonray.runtime.shard import Recorded
from carbonray.worlds.climate_negotiation.activity import Rules
from carbonray.worlds.climate_negotiation.behaviour import Behaviour
from carbonray.worlds.climate_negotiation.parameters import Parameters
from carbonray.worlds.climate_negotiation.protocols import Commitments, bilateral, border_club, club
from carbonray.worlds.climate_negotiation.world import NegotiationWorld

EVERYONE = 27
TIGHT = 1e-12
RANDOM = Behaviour(kind="random")
TRADING = Behaviour(kind="constant", savings=0.2, export_limit=0.5, imports=0.1, proposal=0.4)
PROTOCOLS = {"none": None, "bilateral": bilateral, "club": club, "border-club": border_club}


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return load_parameters()


def made(parameters: Parameters, protocol: str = "bilateral", **changes: object) -> NegotiationWorld:
    given_ = {"behaviour": RANDOM} | changes
    return NegotiationWorld(parameters=parameters, protocol=PROTOCOLS[protocol], protocol_name=protocol, **given_)


def levels(seed: int, world: NegotiationWorld, steps: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(0, 10, size=(steps, EVERYONE, len(world.heads.sizes)))
    return np.minimum(drawn, np.array(world.heads.sizes) - 1)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), returned=st.booleans(), per_year=st.booleans(), full=st.booleans())
def test_goods_are_conserved_and_nobody_consumes_less_than_nothing(seed, returned, per_year, full):
    rules = Rules(revenue_returned=returned, interest_per_year=per_year, full_rates=full)
    world = made(load_parameters(), "none", rules=rules)
    for (moment,) in moments([world], seed=seed, replicas=2, policy=Recorded(levels(seed, world, 20))):
        trade, account = moment.commons.trade, {name: rows.values for name, rows in moment.rows.items()}
        assert (trade.imports >= 0).all()
        torch.testing.assert_close(trade.imports.sum(1), account["exports"], rtol=TIGHT, atol=TIGHT)
        torch.testing.assert_close(trade.imports.sum(2), account["imports"], rtol=TIGHT, atol=TIGHT)
        output, kept = account["output"], account["output"] - account["investment"]
        assert (account["imports"] <= output * (1 + TIGHT)).all()
        assert (account["exports"] <= torch.minimum(account["export_limit"] * output, kept) + TIGHT).all()
        assert (account["consumption"] >= 0).all()
        assert all(torch.isfinite(values).all() for values in account.values())
        assert torch.diagonal(trade.imports, dim1=1, dim2=2).abs().max() == 0
        # Balances of all regions add up to nothing: what one owes another is owed.
        assert account["balance"].sum(1).abs().max() <= 1e-9 * account["balance"].abs().max() + TIGHT


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("full", [False, True])
def test_a_mask_never_empties_a_head_and_scripts_obey_it(parameters, protocol, full):
    world = made(parameters, protocol, rules=Rules(full_rates=full))
    sizes = list(world.heads.sizes)
    for behaviour in (RANDOM, TRADING, Behaviour()):
        world = replace(world, behaviour=behaviour)
        state = inprocess.reset(world, 3, 2, [{"region": np.arange(EVERYONE)}])
        for number in range(world.steps):
            shocks = world.shocks(3, 2, number, {"region": np.arange(EVERYONE)})
            mask = world.observe(state.agents[0], state.commons)["region"].mask
            assert mask.shape[2] == sum(sizes)
            chosen = world.scripted(state.agents[0], state.commons, shocks)["region"].long()
            for head, legal in enumerate(mask.split(sizes, 2)):
                assert legal.any(2).all()
                assert torch.gather(legal, 2, chosen[..., head : head + 1]).all()
            state = inprocess.advance(world, state, [shocks], [np.arange(EVERYONE)]).state


def test_permuting_regions_permutes_results(parameters):
    order = torch.from_numpy(np.random.default_rng(5).permutation(EVERYONE))
    moved = replace(parameters, names=[parameters.names[i] for i in order], regions=parameters.regions.take(order))
    world, other = made(parameters), made(moved)
    actions, heads = levels(1, world, 60), world.heads
    turned = actions.copy()[:, order]
    for block in (heads.tariffs, heads.bids, heads.promised, heads.requested, heads.accepted):
        turned[..., block] = actions[:, order][..., block][..., order]
    before, after = replay(world, Recorded(actions)), replay(other, Recorded(turned))
    for name in ("consumption_all_regions", "current_balance_all_regions", "minimum_mitigation_rate_all_regions"):
        largest = np.abs(before[name]).max()
        # The debt rule amplifies rounding: balances and what follows from them agree to fewer digits.
        np.testing.assert_allclose(after[name], before[name][:, order], rtol=1e-6, atol=1e-6 * largest)
    for name in ("global_temperature", "global_carbon_mass"):
        np.testing.assert_allclose(after[name], before[name], rtol=TIGHT)
    pairs = before["scaled_imports"][:, order][:, :, order]
    np.testing.assert_allclose(after["scaled_imports"], pairs, rtol=1e-6, atol=1e-6 * pairs.max())


@pytest.mark.parametrize("protocol", ["bilateral", "club", "border-club"])
def test_a_protocol_that_binds_nobody_equals_none(parameters, protocol):
    free, bound = made(parameters, "none"), made(parameters, protocol, binding=False)
    for seed in (0, 7):
        one, other = run(free, seed=seed, replicas=2), run(bound, seed=seed, replicas=2)
        assert all(np.array_equal(one.regions[name], other.regions[name]) for name in one.regions)
        assert np.array_equal(one.temperature, other.temperature)
    assert not np.array_equal(one.temperature, run(made(parameters, protocol), seed=7, replicas=2).temperature)

    def nothing(offers: object, situation: object) -> Commitments:
        return Commitments()

    mine = replace(bound, protocol=nothing, binding=True)
    assert np.array_equal(run(mine, seed=7, replicas=2).temperature, other.temperature)


@pytest.mark.parametrize("protocol", ["club", "border-club"])
def test_a_club_of_all_regions_equals_a_common_floor(parameters, protocol):
    everybody = run(made(parameters, protocol, behaviour=TRADING))
    floor = run(made(parameters, "none", behaviour=replace(TRADING, mitigation=0.4)))
    assert everybody.member[1:].all()
    for name in floor.regions:
        assert np.array_equal(everybody.regions[name], floor.regions[name]), name
    few = made(parameters, protocol, behaviour=replace(TRADING, cooperators=frozenset({3, 9, 20})))
    assert run(few).member[-1].sum() == 3
    assert not np.array_equal(run(few).regions["consumption"], floor.regions["consumption"])


class TestSameBytes:
    """Equal bytes for any sharding, batch and number of threads."""

    def shards(self, world: NegotiationWorld, parts: list[np.ndarray], replicas: int = 2, threads: int = 1):
        with inprocess.threads(threads):
            ids = [{"region": part} for part in parts]
            state = inprocess.reset(world, 11, replicas, ids)
            said = []
            for number in range(world.steps):
                shocks = [world.shocks(11, replicas, number, mine) for mine in ids]
                step = inprocess.advance(world, state, shocks, parts)
                state = step.state
                said.append({name: rows.values for name, rows in step.rows.items()})
            return said, state.commons

    @pytest.mark.parametrize("protocol", ["none", "bilateral", "border-club"])
    def test_any_sharding_and_threads(self, parameters, protocol):
        world = made(parameters, protocol)
        whole, commons = self.shards(world, [np.arange(EVERYONE)])
        mixed = np.random.default_rng(2).permutation(EVERYONE)
        cuts = [np.sort(part) for part in np.split(mixed, [4, 4, 15])]  # one of the shards has no regions
        for parts, threads in ((cuts, 1), ([np.array([i]) for i in range(EVERYONE)], 1), ([np.arange(EVERYONE)], 2)):
            split, others = self.shards(world, parts, threads=threads)
            for one, other in zip(whole, split, strict=True):
                assert all(torch.equal(one[name], other[name]) for name in one)
            assert torch.equal(commons.temperature, others.temperature)
            assert torch.equal(commons.trade.imports, others.trade.imports)

    def test_a_replica_alone_and_in_a_batch(self, parameters):
        world = made(parameters, "club")
        alone, batch = run(world, seed=4, replicas=1), run(world, seed=4, replicas=70)
        assert all(np.array_equal(alone.regions[name][:, 0], batch.regions[name][:, 0]) for name in alone.regions)
        assert not np.array_equal(batch.regions["utility"][:, 0], batch.regions["utility"][:, 1])
        assert np.array_equal(alone.temperature[:, 0], batch.temperature[:, 0])


def test_each_switch_does_what_it_says(parameters):
    world = made(parameters, "bilateral")
    actions = levels(8, world, 60)
    base = replay(world, Recorded(actions))
    floor = replay(replace(world, rules=Rules(floor_in_step=True)), Recorded(actions))
    least = base["minimum_mitigation_rate_all_regions"][3::3]
    np.testing.assert_array_equal(
        floor["mitigation_rate_all_regions"][3::3], np.maximum(least, actions[2::3, :, 1] / 10)
    )
    assert (base["mitigation_rate_all_regions"][3::3] < least).any()
    returned = replay(replace(world, rules=Rules(revenue_returned=True)), Recorded(actions))
    np.testing.assert_allclose(returned["tariffed_imports"].sum(2), returned["scaled_imports"].sum(2), rtol=TIGHT)
    assert base["tariffed_imports"].sum() < 0.9 * base["scaled_imports"].sum()
    yearly = replay(replace(world, rules=Rules(interest_per_year=True)), Recorded(actions))
    flow = 5 * (base["scaled_imports"][3].sum(0) - base["scaled_imports"][3].sum(1))
    np.testing.assert_allclose(base["current_balance_all_regions"][3], flow, rtol=1e-9, atol=TIGHT)
    grown = yearly["current_balance_all_regions"][3] * 1.1**5
    flow = 5 * (yearly["scaled_imports"][6].sum(0) - yearly["scaled_imports"][6].sum(1))
    np.testing.assert_allclose(yearly["current_balance_all_regions"][6], grown + flow, rtol=1e-9, atol=TIGHT)
    full = replay(replace(world, rules=Rules(full_rates=True)), Recorded(actions))
    assert full["mitigation_rate_all_regions"].max() == 1.0
    assert base["mitigation_rate_all_regions"].max() == 0.9


def test_single_precision_stays_near_in_climate_and_output(parameters):
    narrow = load_parameters(dtype=torch.float32)
    actions = levels(2, made(parameters), 60)
    wide, single = replay(made(parameters), Recorded(actions)), replay(made(narrow), Recorded(actions))
    assert single["gross_output_all_regions"].dtype == np.float32
    for name in ("global_temperature", "global_carbon_mass", "gross_output_all_regions", "capital_all_regions"):
        np.testing.assert_allclose(single[name], wide[name], rtol=2e-5)
    np.testing.assert_array_equal(single["mitigation_mask_after_step"], wide["mitigation_mask_after_step"])
    assert (wide["mitigation_mask_after_step"].sum(2) > 1).any()


def test_observations_have_the_columns_they_name(parameters):
    world = made(parameters, "bilateral", normalised=False)
    state = inprocess.reset(world, 0, 1, [{"region": np.arange(EVERYONE)}])
    for number in range(6):
        shocks = world.shocks(0, 1, number, {"region": np.arange(EVERYONE)})
        state = inprocess.advance(world, state, [shocks], [np.arange(EVERYONE)]).state
    agents, commons = state.agents[0], state.commons
    seen = world.observe(agents, commons)["region"].values[0]
    assert seen.shape[1] == world.roles["region"].features == len(world.columns) == len(set(world.columns))
    column = {name: seen[:, place] for place, name in enumerate(world.columns)}
    assert column["global_temperature:atmosphere"][4] == commons.temperature[0, 0]
    assert torch.equal(column["capital_all_regions:R22"], agents.capital[0, 12].expand(EVERYONE))
    assert torch.equal(column["intensity"], agents.intensity[0])
    assert column["tariffs:R11:R12"][0] == commons.tariffs[0, 0, 1]
    assert torch.equal(column["promised_mitigation_rate_to_me:R12"], commons.offers.promised[0, 1])
    assert column["region:R9"].tolist() == [0.0] * 26 + [1.0]
    scaled = replace(world, normalised=True).observe(agents, commons)["region"].values[0]
    place = world.columns.index("capital_all_regions:R22")
    assert scaled[3, place] == pytest.approx(agents.capital[0, 12].item() / 1e4)


def test_every_field_of_the_regions_can_be_taken(parameters):
    some = parameters.regions.take(torch.tensor([4, 2]))
    assert all(len(getattr(some, field.name)) == 2 for field in fields(some))
    assert some.capital_0.tolist() == [parameters.regions.capital_0[4].item(), parameters.regions.capital_0[2].item()]
