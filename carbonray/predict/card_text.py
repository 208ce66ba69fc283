"""A predictor's card in words and tables."""

from carbonray.predict.folder import Card

SHOWN = {
    "leakage_rate_10_years": "leakage over 10 years, all goods",
    "leakage_rate_5_years": "leakage over 5 years, all goods",
    "leakage_rate": "leakage by year, all goods",
    "leakage_rate_10_years_cbam_goods": "leakage over 10 years, CBAM goods",
    "leakage_rate_5_years_cbam_goods": "leakage over 5 years, CBAM goods",
    "leakage_rate_cbam_goods": "leakage by year, CBAM goods",
}


def card_lines(card: Card) -> list[str]:
    """Accuracy, coverage and baselines, as the command line prints them."""
    measured = card.measured
    runs = ", ".join(f"{count:,} to {stream}" for stream, count in card.runs.items())
    lines = [f"{card.size} predictor of {card.economy}: {runs}; laws whose market did not clear: {card.failed}", ""]
    lines.append(f"{'on runs that it never saw':<38}{'MAPE':>8}{'MAE below 1 pt':>16}{'r':>8}{'90 % hold':>11}")
    for name, words in SHOWN.items():
        one, held = measured["accuracy"][name], measured["coverage"][name]["0.9"]
        below = f"{100 * one['mae_below_a_point']:.2f} pt"
        lines.append(f"{words:<38}{100 * one['mape']:>7.1f}%{below:>16}{one['r']:>8.3f}{100 * held:>10.1f}%")
    lines += ["", f"{'leakage over 10 years, all goods':<52}{'MAPE':>8}{'MAE':>9}{'r':>8}"]
    best = {"this predictor": measured["accuracy"], **measured["baselines"]}
    for words, table in best.items():
        one = table["leakage_rate_10_years"]
        lines.append(f"{words:<52}{100 * one['mape']:>7.1f}%{100 * one['mae']:>6.2f} pt{one['r']:>8.3f}")
    corner = measured["corner"]
    lines += ["", f"prices above any seen: flagged in {100 * corner['flagged']:.0f} % of runs"]
    for name, one in measured["monotone"].items():
        lines.append(
            f"{name}: goes the wrong way in {100 * one['wrong']:.1f} % of {one['cases']} cases, "
            f"by {100 * one['worst']:.2f} points at worst"
        )
    return lines
