"""Carbon of carriage: by hand, from the declared figures, and as it is shipped; what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, build_freight, load_economy, load_table
from carbonray.data.build_economy import read_grouping
from carbonray.data.build_freight import Cargo, Mode, Route, carriage, freight_table
from carbonray.data.economy_tables import freight_in
from carbonray.worlds.cbam import Economy

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
EXACT = 1e-12
MODES = {
    "road": Mode(factor=0.08, detour=1.25),
    "rail": Mode(factor=0.03, detour=1.25),
    "ship": Mode(factor=0.01, detour=1.0),
    "air": Mode(factor=0.5, detour=1.0),
}
ROUTE = Route(km=1000.0, sea_detour=2.0, land_share=0.4, rail_share=0.5)
CARGO = Cargo(usd_per_tonne=500.0, overseas={"ship": 0.9, "air": 0.1})
NAMES = ["freight_modes.csv", "freight_routes.csv", "freight_sectors.csv"]


class TestCarriage:
    def test_a_tonne_by_hand(self) -> None:
        way = carriage(ROUTE, CARGO, MODES)
        road, rail, ship, air = 0.2 * 1250 * 0.08, 0.2 * 1250 * 0.03, 0.54 * 2000 * 0.01, 0.06 * 1000 * 0.5
        assert way.kg_per_tonne == pytest.approx(road + rail + ship + air, abs=EXACT)
        assert way.km == pytest.approx(0.4 * 1250 + 0.54 * 2000 + 0.06 * 1000, abs=EXACT)
        assert way.mode == "ship"

    def test_where_most_goes_by_land_that_is_the_mode(self) -> None:
        assert carriage(Route(km=1.0, sea_detour=1.0, land_share=0.6), CARGO, MODES).mode == "road and rail"

    def test_twice_as_far_is_twice_the_carbon(self) -> None:
        far = Route(km=2000.0, sea_detour=2.0, land_share=0.4, rail_share=0.5)
        assert carriage(far, CARGO, MODES).kg_per_tonne == pytest.approx(2 * carriage(ROUTE, CARGO, MODES).kg_per_tonne)

    def test_a_dollar_of_dearer_goods_weighs_less_and_services_nothing(self) -> None:
        table = freight_table(
            ["STL", "SRV"],
            {("A", "B"): ROUTE, ("B", "A"): ROUTE},
            MODES,
            cargo={"STL": CARGO},
            unit_values={("B", "STL"): 1000.0},
        ).set_index(["from_region", "from_sector", "to_region"])["kg_per_usd"]
        assert list(table.index) == [("A", "STL", "B"), ("B", "STL", "A")]
        assert table["A", "STL", "B"] == pytest.approx(carriage(ROUTE, CARGO, MODES).kg_per_tonne / 500)
        assert table["B", "STL", "A"] == pytest.approx(table["A", "STL", "B"] / 2)


class TestDeclared:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_figure_has_a_unit_a_source_and_a_tag(self, name: str) -> None:
        table = pd.read_csv(build_freight.DECLARED / name, keep_default_na=False)
        assert set(table["tag"]) <= {"read", "recall", "assumption"}
        assert (table[["unit", "source"]] != "").all().all()

    def test_every_sector_that_makes_goods_has_a_cargo_in_both_tables(self) -> None:
        goods = {
            "AGR",
            "MIN",
            "REF",
            "CHE",
            "FER",
            "OCH",
            "NMM",
            "CEM",
            "ONM",
            "MET",
            "STL",
            "ALU",
            "OMT",
            "EQP",
            "OMF",
        }
        assert set(build_freight.read_cargo()) == goods

    def test_shares_that_do_not_sum_to_one_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = (build_freight.DECLARED / "freight_sectors.csv").read_text(encoding="utf-8")
        (tmp_path / "freight_sectors.csv").write_text(text.replace("REF,product tanker,1,", "REF,product tanker,0.9,"))
        monkeypatch.setattr(build_freight, "DECLARED", tmp_path)
        with pytest.raises(DataError, match=r"^declared/freight_sectors.csv: REF: shares sum to 0.9; must be 1$"):
            build_freight.read_cargo()

    def test_a_pair_without_a_route_is_refused(self) -> None:
        km = pd.DataFrame(1.0, index=["EU26", "XXX"], columns=["EU26", "XXX"])
        with pytest.raises(DataError, match=r"^declared/freight_routes.csv: EU26-XXX has no sea_detour"):
            build_freight.read_routes(km)


class TestShipped:
    @pytest.mark.parametrize("name", ["world-2011", "world-2026"])
    def test_the_shipped_figures_are_these(self, name: str) -> None:
        table = load_table(f"{name}-freight").set_index(["from_region", "from_sector", "to_region"])
        golden = {
            ("CHN", "MET", "EU26"): (0.110675, 18090, "general cargo ship"),
            ("CHN", "EQP", "EU26"): (0.035679, 17942, "container ship"),
            ("CAU", "MIN", "CHN"): (0.103267, 10399, "bulk carrier"),
            ("RUS", "MET", "EU26"): (0.054615, 3695, "road and rail"),
        }
        for key, (kg, km, mode) in golden.items():
            row = table.loc[key]
            assert float(row["kg_per_usd"]) == pytest.approx(kg, abs=1e-6)
            assert (row["km"], row["mode"]) == (km, mode)

    def test_a_tonne_of_metal_from_china_by_hand(self) -> None:
        """8,258 km as the crow flies, 99 % by sea at 2.2 times that, 1 % by rail, 2,000 USD a tonne."""
        ships = 0.5 * 0.01321 + 0.3 * 0.01612 + 0.2 * 0.00353
        kg = 8258 * (0.99 * 2.2 * ships + 0.01 * 1.25 * 0.02779)
        table = load_table("world-2011-freight").set_index(["from_region", "from_sector", "to_region"])
        assert float(table["kg_per_usd"]["CHN", "MET", "EU26"]) == pytest.approx(kg / 2000, rel=1e-3)

    def test_the_economy_has_it_in_tonnes_a_dollar_and_none_at_home(self, world_2011: Economy) -> None:
        assert world_2011.freight is not None
        cell, place = world_2011.cells.index("CHN-MET"), world_2011.regions.index("EU26")
        assert world_2011.freight[cell, place] == pytest.approx(0.110675e-3, abs=1e-9)
        by_region = world_2011.freight.reshape(12, 12, 12)
        assert not np.einsum("rsr->rs", by_region).any()
        services = [world_2011.sectors.index(code) for code in ("ELE", "CON", "TRA", "SRV")]
        assert not by_region[:, services].any()

    def test_trade_of_2011_emits_what_ships_and_lorries_across_borders_did(self, world_2011: Economy) -> None:
        """Ships alone some 0.8 Gt (third IMO study, 2012), all international freight some 2 Gt with its inland legs."""
        sold = world_2011.transactions.reshape(144, 12, 12).sum(2) + world_2011.final_demand
        assert world_2011.freight is not None
        assert 500 < (sold * world_2011.freight).sum() < 2000

    @needs_raw
    def test_distances_are_the_same_both_ways_and_within_what_their_countries_allow(self) -> None:
        km = build_freight.distances(RAW, read_grouping(RAW))
        np.testing.assert_allclose(km, km.T, rtol=1e-6)  # CEPII rounds either way by itself
        assert km.loc["CHN", "TUR"] == pytest.approx(7230, abs=1)  # single countries: CEPII's own figure
        assert 1500 < km.loc["EU26", "TUR"] < 2400  # Germany to Turkey 2,038
        assert 5500 < km.loc["USA", "GBR"] < 7500

    @needs_raw
    def test_the_shipped_table_is_what_the_builder_makes(self) -> None:
        modes = build_freight.read_modes(RAW)
        routes = build_freight.read_routes(build_freight.distances(RAW, read_grouping(RAW)))
        sectors = list(load_economy("world-2011").sectors)
        cargo = build_freight.read_cargo()
        made = freight_table(sectors, routes, modes, cargo=cargo, unit_values={})
        pd.testing.assert_frame_equal(made, load_table("world-2011-freight"), check_dtype=False)

    @needs_raw
    def test_a_factor_that_is_gone_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "distance").mkdir()
        text = (RAW / build_freight.FACTORS).read_text(encoding="utf-8")
        (tmp_path / build_freight.FACTORS).write_text(text.replace("Freight train", "Train"), encoding="utf-8")
        with pytest.raises(DataError, match=r"Rail / Freight train is missing; rail needs it"):
            build_freight.read_modes(tmp_path)


class TestOwn:
    def table(self, folder: Path, **changes: object) -> Path:
        row = {"from_region": "A", "from_sector": "MET", "to_region": "B", "kg_per_usd": 0.2, "km": 9.0, "mode": "ship"}
        pd.DataFrame([row | changes]).to_parquet(folder / "freight.parquet")
        return folder

    def test_kilograms_become_tonnes(self, tmp_path: Path) -> None:
        found = freight_in(self.table(tmp_path), ("A", "B"), ("MET", "SRV"))
        assert found is not None
        assert found[0, 1] == pytest.approx(0.0002, abs=EXACT)
        assert np.count_nonzero(found) == 1

    def test_a_folder_without_the_table_has_none(self, tmp_path: Path) -> None:
        assert freight_in(tmp_path, ("A", "B"), ("MET",)) is None

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"to_region": "A"}, r"freight.parquet: row 0 \(A-MET -> A\): kg_per_usd must be 0 within a region"),
            ({"to_region": "C"}, r"to_region 'C' is unknown"),
            ({"from_sector": "XXX"}, r"from_sector 'XXX' is unknown"),
            ({"kg_per_usd": -0.1}, r"kg_per_usd is -0.1; every value must be a finite number >= 0"),
        ],
    )
    def test_a_fault_is_named(self, tmp_path: Path, changes: dict[str, object], message: str) -> None:
        with pytest.raises(DataError, match=message):
            freight_in(self.table(tmp_path, **changes), ("A", "B"), ("MET", "SRV"))
