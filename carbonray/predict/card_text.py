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
    failed = sum(card.failed.values())
    lines = [f"{card.size} predictor of {card.economy}: {runs}; {failed} laws whose market did not clear", ""]
    lines.append(f"{'on runs that it never saw':<38}{'MAPE':>8}{'MAE below 1 pt':>16}{'r':>8}{'90 % hold':>11}")
    for name, words in SHOWN.items():
        one, held = measured["accuracy"][name], measured["coverage"][name]["0.9"]
        below = _told(one["mae_below_a_point"], "{:.2%}").replace("%", " pt")
        shares = f"{_told(one['mape'], '{:.1%}'):>8}{below:>16}"
        lines.append(f"{words:<38}{shares}{_told(one['r'], '{:.3f}'):>8}{_told(held, '{:.1%}'):>11}")
    lines += ["", f"{'leakage over 10 years, all goods':<52}{'MAPE':>8}{'MAE':>9}{'r':>8}"]
    best = {"this predictor": measured["accuracy"], **measured["baselines"]}
    for words, table in best.items():
        one = table["leakage_rate_10_years"]
        points = _told(one["mae"], "{:.2%}").replace("%", " pt")
        lines.append(f"{words:<52}{_told(one['mape'], '{:.1%}'):>8}{points:>9}{_told(one['r'], '{:.3f}'):>8}")
    corner = measured["corner"]
    lines += ["", f"prices above any seen: flagged in {100 * corner['flagged']:.0f} % of runs"]
    for name, one in measured["monotone"].items():
        lines.append(
            f"{name}: goes the wrong way in {100 * one['wrong']:.1f} % of {one['cases']} cases, "
            f"by {100 * one['worst']:.2f} points at worst"
        )
    return lines


def _told(value: float | None, pattern: str) -> str:
    """A figure in words; card.json has null where there is none."""
    return "–" if value is None or value != value else pattern.format(value)
