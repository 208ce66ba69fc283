"""Outages: which firms lose output in a quarter, from named events and at random."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.units import QUARTERS
from carbonray.worlds import draws
from carbonray.worlds.cbam.model import Model

OUTAGE_DRAW = 10


def outages(model: Model, seed: int, replicas: int, step: int, ids: NDArray[np.int64]) -> Mapping[str, Tensor]:
    """Shares of output lost: `known` before acting, `struck` of the rest after clearing."""
    before, now = _event_outage(model, step - 1, ids), _event_outage(model, step, ids)
    known = np.minimum(before, now)
    total = np.broadcast_to(now, (replicas, len(ids))).copy()
    rate, severity = model.disruptions.outage_rate, model.disruptions.outage_severity
    if rate > 0:
        hit = np.stack([draws.uniform(seed, b, step, OUTAGE_DRAW, ids) < rate for b in model.draws(replicas)])
        total = np.maximum(total, severity * hit)
    left = np.maximum(1 - known, 1e-9)
    struck = np.clip(1 - (1 - total) / left, 0.0, 1.0)
    return {
        "known": torch.as_tensor(np.broadcast_to(known, total.shape).copy(), device=model.device),
        "struck": torch.as_tensor(struck, device=model.device),
    }


def _event_outage(model: Model, step: int, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    ends = model.firms.cell_ends.cpu().numpy()
    outage = np.zeros(len(ids))
    for event in model.disruptions.events:
        first = (event.year - model.start_year) * QUARTERS + event.quarter - 1
        if not first <= step < first + event.quarters:
            continue
        cell = model.regions.index(event.region) * len(model.sectors) + model.sectors.index(event.sector)
        start = ends[cell - 1] if cell else 0
        end = ends[cell] if event.largest is None else min(start + event.largest, ends[cell])
        outage[(ids >= start) & (ids < end)] = event.severity
    return outage
