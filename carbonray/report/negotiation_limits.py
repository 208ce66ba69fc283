"""What the result of a negotiation does not mean, and the limits of its model, in plain words."""

from carbonray.report.learning_words import follows
from carbonray.report.negotiation_run import NegotiationRun
from carbonray.report.wording import number


def meaning(run: NegotiationRun) -> list[str]:
    """What a reader must not take the result for."""
    behaviour = "regions replay recorded actions" if run.replays else "behaviour is scripted"
    if run.summary.policy is not None:
        behaviour = f"{follows('region', run.summary.policy, run.summary.learning)}, and the policy stays as it is"
    return [
        f"The {run.summary.n_regions} regions are fictional: their sizes and growth resemble the world's, but none is "
        "a country.",
        f"Nobody learns or bargains: {behaviour}, and who joins follows from it. The run "
        "says what an agreement does, not whether it would come about.",
        "Purchases do not react to tariffs: bids are shares of a region's own output, and a tariff only takes goods "
        "from what arrives. So imports add up to the same under every tariff. Production does not follow trade either, "
        "but capital, labour and productivity alone. So tariffs cost consumption and hardly move emissions, and a "
        "leakage rate near zero is a property of the model.",
        VARIETY,
        _baseline(run),
    ]


VARIETY = (
    "Consumption is an index of variety, not a sum of goods: half the weight lies on home goods, the rest on those of "
    "the 26 other regions, and without trade it is a quarter of what is consumed at home. Trading as much as the "
    "built-in scenarios do lowers it: scenario none with behaviour.imports=0 has consumption 1,022 instead of 815 "
    "and welfare 78.9 instead of 66.4, more than any of the built-in agreements changes."
)
"""What consumption is; its figures are those of the built-in scenario none."""


def _baseline(run: NegotiationRun) -> str:
    emitted = run.years[run.years["run"] == "reference"].groupby("year")["emissions_gtco2"].sum()
    emitted = emitted[emitted.index > emitted.index.min()] / run.summary.replicas
    first, last = (f"{number(float(emitted.iloc[at]))}\u00a0Gt\u00a0CO2" for at in (0, -1))
    return (
        "The runs are simulations of one model, whose baseline is the published model's and not a projection: if "
        f"nobody is bound, emissions go from {first} a year in {emitted.index[0]} to {last} in {emitted.index[-1]}."
    )


REPLAYED = (
    "Both runs replay the same recorded actions. So an agreement shows only where its minimum rates hold in the "
    "step itself or its tariffs apply; what was recorded under an agreement keeps it in the reference too."
)


def replayed(run: NegotiationRun) -> str:
    """What the comparison of two runs of recorded actions can tell; nothing for a run of its own behaviour."""
    if not run.replays or not run.negotiates:
        return ""
    why = " That the two runs end alike is due to this: it does not say that the agreement changes nothing." * run.same
    return REPLAYED + why


def limits(run: NegotiationRun) -> list[str]:
    """What else the model does not do, and where the run falls short."""
    said = [
        "The published model's oddities are kept unless a switch corrects them: tariff revenue is lost, interest on "
        "balances falls due once in five years, a floor holds by the action mask alone, and no rate exceeds 0.9. Two "
        "more have no switch: a debt of a tenth of the first capital stops all imports, so that trade and consumption "
        "of single regions jump in late years; and temperature follows the carbon of the step before.",
    ]
    stopped = "The run was interrupted: it covers whole steps only, fewer than planned."
    told = replayed(run)
    return [*said, *([told] if told else []), *([stopped] if run.summary.cut_short else [])]
