from dataclasses import replace

import numpy as np
import pytest

from carbonray.network.cascade import cascade, criticality, extraction
from carbonray.worlds.cbam.economy import Economy


def test_without_another_maker_the_whole_chain_stops(chain: Economy) -> None:
    end = cascade(chain, "ONE-MINE", spot_share=0.5)
    assert end.losses["lost_share"].tolist() == [1.0, 1.0, 1.0]
    assert end.lost_output_share == 1.0
    assert end.cells_hit == 3
    assert end.rounds == 2


def test_losses_travel_downstream_only(chain: Economy) -> None:
    end = cascade(chain, "ONE-SHOP", spot_share=0.0)
    assert end.losses.loc[["ONE-MINE", "ONE-MILL", "ONE-SHOP"], "lost_share"].tolist() == [0.0, 0.0, 1.0]
    assert end.cells_hit == 1


def test_removing_a_firm_of_the_cell_by_hand(chain: Economy) -> None:
    end = cascade(chain, "ONE-MINE", spot_share=0.5, removed_share=0.2)
    shares = end.losses.loc[["ONE-MINE", "ONE-MILL", "ONE-SHOP"], "lost_share"]
    mill = 0.2 * (1.0 - 0.5 * 0.8)  # half of what is missing, times the four fifths of mining that are left
    shop = mill * (1.0 - 0.5 * (1.0 - mill))
    np.testing.assert_allclose(shares, [0.2, mill, shop], rtol=1e-14)
    assert end.lost_output_share == pytest.approx((0.2 + mill + shop) / 3.0, rel=1e-14)


def test_losses_feed_back_through_a_loop_by_hand(triangle: Economy) -> None:
    """With spot share 11/13, loss_B = 6/11 and loss_C = 3/11.

    Then 13/33 of the good is alive and 2/3 of a shortage stays unmet:
    loss_B = 2/3 (3/4 + loss_C/4) = 6/11 and loss_C = 2/3 (loss_B/2 + loss_C/2) = 3/11.
    """
    end = cascade(triangle, "A-GOOD", spot_share=11.0 / 13.0)
    shares = end.losses.loc[["A-GOOD", "B-GOOD", "C-GOOD"], "lost_share"]
    np.testing.assert_allclose(shares, [1.0, 6.0 / 11.0, 3.0 / 11.0], atol=1e-11)
    assert end.lost_output_share == pytest.approx(20.0 / 33.0, abs=1e-11)
    assert end.cells_hit == 3


def test_the_scarcest_good_sets_output() -> None:
    transactions = np.zeros((6, 6))  # X and Y of two regions, sold to Z of the first
    transactions[0, 2], transactions[3, 2] = 30.0, 10.0  # X: three quarters from the first
    transactions[1, 2], transactions[4, 2] = 10.0, 30.0  # Y: a quarter from the first
    economy = Economy(
        regions=("A", "B"),
        sectors=("X", "Y", "Z"),
        year=2011,
        transactions=transactions,
        final_demand=np.full((6, 2), 10.0),
        emissions=np.ones(6),
    )
    alive_x = 1.0 - 50.0 / (50.0 + 30.0)  # outputs: flow plus 20 of final demand
    alive_y = 1.0 - 30.0 / (30.0 + 50.0)
    assert cascade(economy, "A-X", spot_share=0.4).losses.loc["A-Z", "lost_share"] == pytest.approx(
        0.75 * (1 - 0.4 * alive_x)
    )
    assert cascade(economy, "A-Y", spot_share=0.4).losses.loc["A-Z", "lost_share"] == pytest.approx(
        0.25 * (1 - 0.4 * alive_y)
    )


def test_full_substitution_is_limited_by_what_is_still_made(triangle: Economy) -> None:
    flows = np.zeros((3, 3))
    flows[0, 1] = 30.0
    economy = replace(triangle, transactions=flows)  # outputs 100, 80, 70
    end = cascade(economy, "A-GOOD", spot_share=1.0, removed_share=0.5)
    first_round = 0.5 * 50.0 / 250.0
    assert first_round < end.losses.loc["B-GOOD", "lost_share"] < 0.5 * (50.0 + 0.2 * 80.0) / 250.0
    assert end.losses.loc["C-GOOD", "lost_share"] == 0.0


def test_without_substitution_a_connected_economy_stops(triangle: Economy) -> None:
    assert cascade(triangle, "A-GOOD", spot_share=0.0).lost_output_share == pytest.approx(1.0, abs=1e-10)


def test_a_cascade_that_does_not_come_to_rest_is_refused(triangle: Economy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carbonray.network.cascade.MAX_ROUNDS", 1_000)
    flows = triangle.transactions.copy()
    flows[0, 1] = 1e-4  # hardly anything is bought from A, and nothing replaces it
    with pytest.raises(RuntimeError, match="use a larger spot_share"):
        cascade(replace(triangle, transactions=flows), "A-GOOD", spot_share=0.0)


def test_criticality_is_the_cascade_of_every_cell(triangle: Economy) -> None:
    table = criticality(triangle, spot_share=11.0 / 13.0)
    for cell in triangle.cells:
        end = cascade(triangle, cell, spot_share=11.0 / 13.0)
        assert table.loc[cell, "lost_output_share"] == end.lost_output_share
        assert table.loc[cell, "cells_hit"] == end.cells_hit
    assert table.loc["A-GOOD", "amplification"] == pytest.approx(20.0 / 11.0, abs=1e-10)


def test_extraction_of_the_end_of_a_chain_by_hand(chain: Economy) -> None:
    lost = extraction(chain, "ONE-SHOP")["lost_musd"]
    np.testing.assert_allclose(lost.loc[["ONE-MINE", "ONE-MILL", "ONE-SHOP"]], [48.0, 80.0, 100.0], rtol=1e-13)


def test_extraction_does_not_harm_customers(chain: Economy) -> None:
    lost = extraction(chain, "ONE-MINE")["lost_musd"]
    np.testing.assert_allclose(lost.loc[["ONE-MINE", "ONE-MILL", "ONE-SHOP"]], [100.0, 0.0, 0.0], atol=1e-12)


def test_unknown_cells_and_shares_out_of_range_are_named(chain: Economy) -> None:
    with pytest.raises(ValueError, match="unknown cell 'MINE'; cells are named like ONE-MINE"):
        cascade(chain, "MINE", spot_share=0.5)
    with pytest.raises(ValueError, match=r"spot_share must lie in \[0, 1\], got 1.5"):
        cascade(chain, "ONE-MINE", spot_share=1.5)
    with pytest.raises(ValueError, match=r"removed_share must lie in \[0, 1\], got -0.1"):
        cascade(chain, "ONE-MINE", spot_share=0.5, removed_share=-0.1)
