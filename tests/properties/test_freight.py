"""Carriage: what holds for any route and cargo."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from carbonray.data.build_freight import Cargo, Mode, Route, carriage

MODES = {
    "road": Mode(factor=0.077, detour=1.25),
    "rail": Mode(factor=0.028, detour=1.25),
    "ship": Mode(factor=0.016, detour=1.0),
    "air": Mode(factor=0.531, detour=1.0),
}
share = st.floats(0, 1)
routes = st.builds(Route, km=st.floats(1, 2e4), sea_detour=st.floats(1, 3), land_share=share, rail_share=share)
cargos = share.map(lambda air: Cargo(usd_per_tonne=1.0, overseas={"ship": 1 - air, "air": air}))


@given(routes, cargos, st.floats(1.01, 3))
def test_longer_is_more_carbon_and_more_kilometres(route: Route, cargo: Cargo, factor: float) -> None:
    near, far = carriage(route, cargo, MODES), carriage(replace(route, km=route.km * factor), cargo, MODES)
    assert far.kg_per_tonne > near.kg_per_tonne > 0
    assert far.km > near.km >= route.km * (1 - 1e-12)


@given(routes, cargos)
def test_a_tonne_emits_between_the_cleanest_and_the_dirtiest_way(route: Route, cargo: Cargo) -> None:
    ways = [route.km * mode.detour * mode.factor for name, mode in MODES.items() if name != "ship"]
    ways.append(route.km * route.sea_detour * MODES["ship"].factor)
    found = carriage(route, cargo, MODES).kg_per_tonne
    assert min(ways) * (1 - 1e-9) <= found <= max(ways) * (1 + 1e-9)


@given(routes, cargos)
def test_more_rail_is_less_carbon(route: Route, cargo: Cargo) -> None:
    road, rail = (carriage(replace(route, rail_share=part), cargo, MODES).kg_per_tonne for part in (0.0, 1.0))
    assert rail <= road
