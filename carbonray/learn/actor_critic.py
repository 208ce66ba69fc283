"""Coupled actor-critic: everybody's own policy, judged by what its team is worth.

    V_tot(G) = sum over i in G of w_i v(o_i)                                the critic of VDN, for states
    loss     = -min(q A_G, clip(q, 1 - e, 1 + e) A_G) + c |V_tot - R_G| - h entropy + k KL(pi || start),
    q        = pi(a|o) / pi_old(a|o),   |.| is Huber's, so that a few fortunes do not make the critic

The clipped objective is that of PPO (Schulman et al. 2017, arXiv 1707.06347); the advantage A_G of the team,
generalised (arXiv 1506.02438), is shared by its members, so that what one does for the others counts.  A policy starts
from what everybody else does: from the rules, or from the trained policy that a best response leaves; or from a policy
that it goes on from.
"""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from carbonray.learn.imitation import imitate
from carbonray.learn.inference import weights
from carbonray.learn.method import Method, Settings, advantages, figures, standardised, windows
from carbonray.learn.networks import Decider, Value, Weights, legal_only
from carbonray.learn.policy import Trained
from carbonray.learn.problem import Problem
from carbonray.learn.rollout import Acted, Batch
from carbonray.units import NonNegative, Positive, UnitInterval

FAR = 4.0
"""Deviations beyond which an advantage counts no more."""


class ActorCriticSettings(Settings):
    """What can be set for the actor-critic, and for PPO."""

    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Largest change of a probability's ratio that is rewarded."""
    learning_rate: Positive = 5e-4
    """Of Adam, at first; it falls in a straight line, so that agents who chase each other come to rest."""
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Worth of a reward that comes one decision later; near one, what is expected after an episode's end counts more
    than what was earned in it, and critics were seen to run away with that."""
    trace: UnitInterval = 1.0
    """How far errors of the critic are carried back; at one it judges by what was earned, not by what it expects."""
    entropy: NonNegative = 0.003
    """Worth of a head that chooses at random, at first: keeps policies from settling too early; falls to zero."""
    habit: NonNegative = 0.05
    """Worth of a nat by which choices stay near those that learners start from, the rules or the policy of all others:
    what hardly matters is then done as these do, and not by chance."""
    epochs: Annotated[int, Field(ge=1)] = 4
    """Times that each batch is learned from."""
    critic_weight: NonNegative = 0.5
    """Of the critic's loss beside the policy's."""


class ActorCritic(Method):
    """Shared policy, shared state value, and the weights of its sum."""

    acts = "sampled"
    settings: ActorCriticSettings
    started: Tensor

    def __init__(self, problem: Problem, settings: ActorCriticSettings) -> None:
        """Make the networks."""
        super().__init__(problem, settings)
        shape = problem.shape(settings.hidden, recurrent=settings.recurrent)
        self.decider = Decider(shape, problem.mean, problem.deviation)
        self.start = Decider(shape, problem.mean, problem.deviation).requires_grad_(requires_grad=False)
        self.register_buffer("started", torch.tensor(data=False))  # whether there is a start to stay near
        self.critic = Value(problem.shape(settings.hidden), problem.mean, problem.deviation)
        self.weights: Weights | None = Weights(problem.traits.shape[1])

    def begin(self, seed: int) -> None:
        """Go on from a policy, or do as everybody else does.

        A policy with a memory, and one where levels say no rules, only rests at first.
        """
        started = not self.settings.recurrent and (self._follow() or imitate(self.decider, self.problem, seed))
        self.started.fill_(started)
        if not started:
            self.decider.rest(self.problem.spec.rest)
        self.start.load_state_dict(self.decider.state_dict())

    def _follow(self) -> bool:
        """Begin with the policy that was given to start from, or that of all others of the role if it fits."""
        start, others = self.problem.start, self.problem.others
        if start is None and isinstance(others, Trained) and others.role == self.problem.role and others.sampled:
            start = others
        if start is None or start.network.shape != self.decider.shape:
            return False
        self.decider.load_state_dict(weights(start.network))
        return True

    def act(
        self, seen: Tensor, mask: Tensor | None, memory: Tensor | None, rng: torch.Generator, progress: float
    ) -> Acted:
        """Levels at random, as likely as the policy has them."""
        logits, memory = self.decider(seen[:, None], memory)
        heads = self.decider.heads
        uniform = torch.rand(*seen.shape[:2], len(heads.sizes), generator=rng, device=seen.device)
        levels, shares = heads.drawn(legal_only(logits[:, 0], mask), uniform)
        return Acted(levels=levels, memory=memory, kept={"likely": shares.log().sum(-1)})

    def minibatches(self, batch: Batch, rng: torch.Generator) -> Iterator[dict[str, Tensor]]:
        """Every window of the batch, some times over, with advantages and returns."""
        s = self.settings
        with torch.no_grad():
            value = self.value(batch["seen"])
            reward = self.team_reward(batch["reward"])
            gained = advantages(reward, value, batch["terminated"], discount=s.discount, trace=s.trace)
            judged = standardised(self.beyond_rows(self.beyond_all(gained))).clamp(-FAR, FAR)
            known = {**batch, "gained": judged, "returned": gained + value[:, :-1]}
        for _ in range(s.epochs):
            yield from windows(known, batch["reward"].shape[1] if s.recurrent else s.window, rng)

    def value(self, seen: Tensor) -> Tensor:
        """[B, T, G] of observations [B, T, n, F]."""
        own: Tensor = self.critic(seen)[0]
        return own if self.weights is None else self.by_team(self.weights(self.traits, self.share) * own)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Clipped objective, critic and entropy."""
        s, heads, seen = self.settings, self.decider.heads, batch["seen"][:, :-1]
        logits, _ = self.decider(seen)
        shares = heads.log_shares(legal_only(logits, batch["mask"][:, :-1]))
        change = heads.chosen(shares, batch["levels"]).sum(-1) - batch["likely"]
        ratio = change.clamp(max=20.0).exp()
        gained = self.of_team(batch["gained"])
        policy = -torch.minimum(ratio * gained, ratio.clamp(1 - s.clip, 1 + s.clip) * gained).mean()
        critic = nn.functional.smooth_l1_loss(self.value(seen), batch["returned"])
        entropy = heads.entropy(shares).mean()
        worth = s.entropy * max(0.0, 1 - float(batch["progress"][0])) * len(heads.sizes)
        loss = policy + s.critic_weight * critic - worth * entropy
        if self.started and s.habit:
            with torch.no_grad():
                usual = heads.log_shares(legal_only(self.start(seen)[0], batch["mask"][:, :-1]))
            loss = loss + s.habit * (shares.exp() * (shares - usual)).sum(-1).mean()
        return {"loss": loss, **figures(entropy=entropy, critic=critic, moved=(ratio - 1).abs().mean())}
