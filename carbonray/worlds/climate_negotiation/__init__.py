"""Climate negotiation: regions that trade, cut emissions and bind each other over a century."""

from carbonray.worlds.climate_negotiation.protocols import Commitments, Offers, Situation
from carbonray.worlds.climate_negotiation.world import NegotiationWorld

__all__ = ["Commitments", "NegotiationWorld", "Offers", "Situation"]
