"""A predictor's card in words and tables."""

from carbonray.predict.folder import Card
from carbonray.predict.followed import words_of

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
    lines = [f"{card.size} predictor of {card.economy}: {runs}; laws whose market did not clear: {card.failed}"]
    lines += [f"firms {words_of(card.policy)}", ""]
    lines.append(f"{'on runs that it never saw':<38}{'MAPE':>8}{'MAE below 1 pt':>16}{'r':>8}{'90 % hold':>11}")
    for name, words in SHOWN.items():
        one, held = measured["accuracy"][name], measured["coverage"][name]["0.9"]
        below = f"{_shown(one['mae_below_a_point'], 2)} pt"
        mape, share = f"{_shown(one['mape'])}%", f"{_shown(held)}%"
        lines.append(f"{words:<38}{mape:>8}{below:>16}{_shown(one['r'], 3, 1):>8}{share:>11}")
    lines += ["", f"{'leakage over 10 years, all goods':<52}{'MAPE':>8}{'MAE':>9}{'r':>8}"]
    for words, table in {"this predictor": measured["accuracy"], **measured["baselines"]}.items():
        one = table["leakage_rate_10_years"]
        mape, mae = f"{_shown(one['mape'])}%", f"{_shown(one['mae'], 2)} pt"
        lines.append(f"{words:<52}{mape:>8}{mae:>9}{_shown(one['r'], 3, 1):>8}")
    lines += ["", f"prices above any seen: flagged in {_shown(measured['corner']['flagged'], 0)} % of runs"]
    for name, one in measured["monotone"].items():
        lines.append(
            f"{name}: goes the wrong way in {_shown(one['wrong'])} % of {one['cases']} cases, "
            f"by {_shown(one['worst'], 2)} points at worst"
        )
    return lines


def _shown(value: float | None, digits: int = 1, scale: float = 100.0) -> str:
    """A share in per cent, or what `scale` makes of it; a dash where no case tells."""
    return "-" if value is None else f"{scale * value:.{digits}f}"
