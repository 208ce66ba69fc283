"""The economy with goods in tonnes: sums, balance, sensible figures, evidence, refusals, and the same bytes again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from carbonray.data import DataError, datasets_folder, load_benchmarks, load_economy, load_table
from carbonray.data.build_goods import PARENTS, REGIONS, SECTORS, split
from carbonray.data.build_goods_figures import by_region, matrix, parameters, rule
from carbonray.data.build_goods_production import quantities
from carbonray.data.build_goods_tables import tables
from carbonray.data.goods_tonnes import flow_tonnes, goods_table
from carbonray.worlds.cbam import Economy
from carbonray.worlds.cbam.economy import PARENT_SECTOR

RAW = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_raw = pytest.mark.skipif(not RAW.is_dir(), reason="raw tables (../shared/data) are absent")
KEPT = 1e-9  # parents' sums, tonnes times unit value
EXACT = 1e-12
GOODS = ("STL", "ALU", "CEM", "FER")
MT_2011 = {
    ("STL", "CHN"): 701.97, ("STL", "EU26"): 168.22, ("STL", "world"): 1538.0, ("CEM", "world"): 3631.2,
    ("CEM", "CHN"): 2099.0, ("ALU", "world"): 62.0, ("ALU", "RUS"): 4.39, ("FER", "world"): 189.0,
}  # fmt: skip
"""Million tonnes of 2011: worldsteel, USGS, Clio Infra with recycled metal, and declared ammonia and hydrogen."""
IMPLIED_2011 = {
    ("STL", "EU26"): 0.91, ("STL", "CHN"): 1.62, ("STL", "IND"): 2.22, ("STL", "RUS"): 2.60, ("STL", "TUR"): 0.39,
    ("ALU", "EU26"): 0.77, ("ALU", "CHN"): 1.34, ("CEM", "EU26"): 0.65, ("CEM", "ROW"): 0.22, ("FER", "RUS"): 2.08,
}  # fmt: skip
"""t CO2 per tonne that the shipped table implies."""


@pytest.fixture(scope="module")
def goods_2011() -> Economy:
    """The built-in table, 12 regions x 16 sectors."""
    return load_economy("goods-2011")


def to_parents() -> np.ndarray:
    """[parent cells, new cells] sums the children of each parent."""
    children = [[float(PARENT_SECTOR.get(sector, sector) == parent) for sector in SECTORS] for parent in PARENTS]
    return np.kron(np.eye(len(REGIONS)), np.array(children))


def assert_sums_are_kept(economy: Economy, parents: Economy, *, rtol: float) -> None:
    sums = to_parents()
    np.testing.assert_allclose(sums @ economy.transactions @ sums.T, parents.transactions, rtol=rtol)
    np.testing.assert_allclose(sums @ economy.final_demand, parents.final_demand, rtol=rtol)
    np.testing.assert_allclose(sums @ economy.emissions, parents.emissions, rtol=rtol)
    np.testing.assert_allclose(sums @ economy.output, parents.output, rtol=rtol)
    np.testing.assert_allclose(sums @ economy.value_added, parents.value_added, rtol=KEPT)


def assert_sound(economy: Economy) -> None:
    """Nothing negative, value added above the declared floor, tonnes times unit value is output."""
    assert min(economy.transactions.min(), economy.final_demand.min(), economy.emissions.min()) >= 0.0
    split_cells = np.tile([sector in PARENT_SECTOR for sector in economy.sectors], len(economy.regions))
    share = economy.value_added[split_cells] / economy.output[split_cells]
    assert share.min() >= rule("value_added_floor")
    table = goods_table(economy)
    cell = pd.Index(economy.cells).get_indexer(pd.Index(table["region"] + "-" + table["sector"]))
    np.testing.assert_allclose(table["tonnes"] * table["unit_value_usd_t"] / 1e6, economy.output[cell], rtol=EXACT)


def test_children_add_up_to_every_flow_and_emission_of_the_twelve_sectors(
    goods_2011: Economy, world_2011: Economy
) -> None:
    assert goods_2011.sectors == SECTORS
    assert goods_2011.regions == world_2011.regions
    assert_sums_are_kept(goods_2011, world_2011, rtol=KEPT)
    assert_sound(goods_2011)


def test_sectors_that_are_not_split_are_what_they_were(goods_2011: Economy, world_2011: Economy) -> None:
    whole = [sector for sector in SECTORS if sector in PARENTS]
    old = [c for c, name in enumerate(world_2011.cells) if name.split("-")[1] in whole]
    new = [c for c, name in enumerate(goods_2011.cells) if name.split("-")[1] in whole]
    assert [world_2011.cells[c] for c in old] == [goods_2011.cells[c] for c in new]
    blocks = [(e.transactions[np.ix_(c, c)], e.value_added[c]) for e, c in ((goods_2011, new), (world_2011, old))]
    for found, wanted in zip(*blocks, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=KEPT)


def test_tonnes_of_2011_are_those_of_the_sources(goods_2011: Economy) -> None:
    table = goods_table(goods_2011)
    mt = table.set_index(["sector", "region"])["tonnes"] / 1e6
    for (good, region), wanted in MT_2011.items():
        found = mt[good].sum() if region == "world" else mt[good, region]
        assert found == pytest.approx(wanted, rel=1e-3), (good, region)
    assert len(table) == len(GOODS) * len(REGIONS)


def test_flows_in_tonnes_add_up_and_say_who_exports(goods_2011: Economy) -> None:
    tonnes = flow_tonnes(goods_2011).reshape(len(REGIONS), len(SECTORS), len(REGIONS)) / 1e6
    table = goods_table(goods_2011).set_index(["sector", "region"])["tonnes"] / 1e6
    net = {}
    for good in GOODS:
        sold = tonnes[:, SECTORS.index(good)]
        np.testing.assert_allclose(sold.sum(1), table[good].reindex(list(REGIONS)), rtol=KEPT)
        net[good] = dict(zip(REGIONS, sold.sum(1) - sold.sum(0), strict=True))
    assert min(net["ALU"][region] for region in ("RUS", "CAU", "ROW")) > 3.0
    assert net["FER"]["RUS"] > 5.0
    assert net["STL"]["JPN"] > 25.0 > 0.0 > net["STL"]["USA"]
    cement = tonnes[:, SECTORS.index("CEM")]
    assert 1.0 - np.trace(cement) / cement.sum() < 0.05  # cement hardly travels


def test_implied_intensities_stand_beside_the_law(goods_2011: Economy) -> None:
    table = load_table("goods-2011-check").set_index(["good", "region"])
    for key, wanted in IMPLIED_2011.items():
        assert table.loc[key, "implied_t_per_t"] == pytest.approx(wanted, abs=0.006), key
    emitted = (table["implied_t_per_t"] * table["tonnes"]).sum() / 1e6
    cells = [c for c, name in enumerate(goods_2011.cells) if name.split("-")[1] in GOODS]
    assert emitted == pytest.approx(goods_2011.emissions[cells].sum(), rel=KEPT)
    abroad = table[table.index.get_level_values("region") != "EU26"]
    assert (abroad["default_value_t_per_t"] > 0.25).all()
    assert (abroad["default_value_t_per_t"] > abroad["benchmark_t_per_t"]).all()  # the law is conservative by design
    # t of primary metal x MWh x USD / MWh over output, all as declared
    power = table.loc["ALU", "cost_share"]
    assert power["CHN"] == pytest.approx(18.1e6 * 13.8 * 75 / (22.5e6 * 2450), rel=0.03)
    assert table.loc[("FER", "EU26"), "cost_share"] > table.loc[("FER", "RUS"), "cost_share"]


def test_benchmarks_are_mixes_of_the_legal_ones(goods_2011: Economy) -> None:
    assert goods_2011.goods is not None
    law = load_benchmarks()
    benchmark = goods_2011.goods.benchmark.reshape(len(REGIONS), len(SECTORS))
    coils = law[law["cn_code"] == "72083900"].set_index("route")["benchmark_t_per_t"]
    steel = benchmark[:, SECTORS.index("STL")]
    assert (coils["E"] < steel).all()
    assert (steel < coils["C"] * 1.05).all()
    blast = by_region("share_bf_bof", REGIONS)
    assert np.corrcoef(blast, steel)[0, 1] > 0.98
    metal = law[law["cn_code"] == "76011090"].set_index("route")["benchmark_t_per_t"]
    aluminium = dict(zip(REGIONS, benchmark[:, SECTORS.index("ALU")], strict=True))
    assert aluminium["KTW"] == pytest.approx(metal["L"], rel=EXACT)  # recycled only
    assert metal["L"] < aluminium["EU26"] < aluminium["CHN"] < metal["K"]


def test_every_declared_figure_has_a_source_and_a_tag() -> None:
    table = parameters()
    assert set(table["tag"]) <= {"read", "recall", "assumption"}
    assert table["source"].str.len().min() > 5
    assert np.isfinite(table["value"]).all()
    shares = matrix("purchases", sellers=("STL", "ALU", "OMT"), buyers=(*SECTORS, "FINAL"))
    np.testing.assert_allclose(shares.sum(0), 1.0, rtol=EXACT)
    with pytest.raises(DataError, match=r"^declared/goods_figures.csv: XXX: clinker_ratio is missing"):
        by_region("clinker_ratio", ("XXX",))


def put(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A fault: one cell of the seventh row changed."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[6, column] = value
        return table

    return change


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "value": (
        put("tonnes", 1.0),
        r"^goods_2011/goods.parquet: row 6 \(GBR-STL\): tonnes times unit_value_usd_t is 0.001 million USD, output is "
        r"9478; they must agree within 1e-09$",
    ),
    "no unit value": (put("unit_value_usd_t", 0.0), r"row 6 \(GBR-STL\): unit_value_usd_t is 0; it must be above 0$"),
    "negative": (put("benchmark_t_per_t", -1.0), r"row 6 \(GBR-STL\): benchmark_t_per_t is -1; every value must be"),
    "unknown": (put("sector", "TIN"), r"row 6 \(GBR-TIN\): sector 'TIN' is unknown; every code must occur in cells"),
    "double": (put("region", "EU26"), r"row 6 \(EU26-STL\): repeats row 2; region, sector must be unique$"),
    "column": (lambda table: table.drop(columns="tonnes"), r"goods.parquet: column tonnes is missing or doubled"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_table_of_goods_is_refused_by_name(fault: str, tmp_path: Path) -> None:
    change, message = FAULTS[fault]
    folder = Path(shutil.copytree(datasets_folder() / "goods_2011", tmp_path / "goods_2011"))
    change(pd.read_parquet(folder / "goods.parquet")).to_parquet(folder / "goods.parquet")
    with pytest.raises(DataError, match=message):
        load_economy(folder)


def test_an_economy_without_the_table_has_no_goods(world_2011: Economy, tmp_path: Path) -> None:
    assert world_2011.goods is None
    with pytest.raises(DataError, match=r"^goods.parquet: file is missing; without it no flow can be counted"):
        flow_tonnes(world_2011)
    folder = Path(shutil.copytree(datasets_folder() / "goods_2011", tmp_path / "goods_2011"))
    (folder / "goods.parquet").unlink()
    assert load_economy(folder).goods is None


def test_only_the_built_in_world_can_be_split(small_economy: Economy) -> None:
    with pytest.raises(DataError, match=r"^goods: table: regions or sectors are not those of the built-in world"):
        split(small_economy, raw=RAW)


@pytest.mark.slow
@pytest.mark.raw
@needs_raw
def test_splitting_again_gives_the_shipped_figures(world_2011: Economy) -> None:
    frames = tables(split(world_2011, raw=RAW), "goods-2011")
    assert len(frames) == 4
    for name, frame in frames.items():
        shipped = load_table(name)
        pd.testing.assert_frame_equal(frame[list(shipped)].astype(shipped.dtypes), shipped, rtol=KEPT)


@pytest.mark.slow
@pytest.mark.raw
@needs_raw
def test_a_table_of_another_year_and_money_is_split_by_the_same_rules() -> None:
    world = load_economy("history-2004")
    goods = split(world, raw=RAW, money_year=2004)
    assert_sums_are_kept(goods, world, rtol=KEPT)
    assert_sound(goods)
    mt = goods_table(goods).set_index(["sector", "region"])["tonnes"] / 1e6
    assert mt["STL", "CHN"] == pytest.approx(272.8, rel=1e-3)


@pytest.mark.raw
@needs_raw
@pytest.mark.parametrize(("year", "steel"), [(2000, 849.6), (2015, 1621.5)])
def test_tonnes_of_every_year_are_complete(year: int, steel: float) -> None:
    found = quantities(RAW, year)
    for good in GOODS:
        assert (found[good] > 0).all()
        assert list(found[good].index) == list(REGIONS)
    assert found["STL"].sum() / 1e6 == pytest.approx(steel, rel=1e-3)


@pytest.mark.raw
@needs_raw
def test_primary_aluminium_of_2011_is_that_of_the_source() -> None:
    assert quantities(RAW, 2011)["primary"].sum() / 1e6 == pytest.approx(45.2, rel=0.01)
