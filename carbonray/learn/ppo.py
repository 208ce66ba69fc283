"""PPO with a critic of one's own (Schulman et al. 2017, arXiv 1707.06347): the baseline.

As the coupled actor-critic, but each agent judges its team's reward by itself: v(o_i) is asked to foretell what the
team of i earns.  With the team `agent` that is independent PPO with shared parameters.
"""

from torch import Tensor

from carbonray.learn.actor_critic import ActorCritic, ActorCriticSettings
from carbonray.learn.problem import Problem


class Ppo(ActorCritic):
    """Shared policy and shared critic; nobody's value is added to another's."""

    def __init__(self, problem: Problem, settings: ActorCriticSettings) -> None:
        """Make the networks."""
        super().__init__(problem, settings)
        self.weights = None

    def team_reward(self, reward: Tensor) -> Tensor:
        """[..., n] what the team of each agent earned."""
        return super().of_team(super().team_reward(reward))

    def of_team(self, values: Tensor) -> Tensor:
        """[..., n] values are by agent already."""
        return values
