"""Games with known answers, small enough to be learned in seconds, in the protocol of the worlds.

All that was played lies open in the commons, so that a game is three functions of it: what players see, which levels
are legal, and what the last step pays.

Axes: B replica, T step so far, N player, H head, L level of any head.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from carbonray.learn.networks import Heads
from carbonray.worlds import draws
from carbonray.worlds.world import Bid, Ids, Mail, Observation, Outcome, Pool, Role, Rows, Shocks

CLIMBING = ((11.0, -30.0, 0.0), (-30.0, 7.0, 6.0), (0.0, 0.0, 5.0))
"""Claus and Boutilier 1998."""
MEETING = ((10.0, 0.0, 0.0), (0.0, 5.0, 0.0), (0.0, 0.0, 5.0))
"""All that counts is to meet, best at the first of three places."""


@dataclass(frozen=True, kw_only=True)
class Players:
    """Nothing of their own but who they are."""

    ids: Tensor  # [n] int64, ascending


@dataclass(frozen=True, kw_only=True)
class Board:
    """What was played."""

    played: Tensor  # [B, T, N, H] int64
    chance: Tensor  # [B, T + 1] in [0, 1), drawn before each step

    @property
    def step(self) -> int:
        """Steps so far."""
        return self.played.shape[1]

    @property
    def last(self) -> Tensor:
        """[B, N] the levels of the first head in the last step."""
        return self.played[:, -1, :, 0]


@dataclass(frozen=True, kw_only=True)
class Game:
    """A world that ends after its steps; each kind of game says what is seen, legal and paid."""

    players: int = 1
    features: int = 1
    heads: tuple[int, ...] = (2,)
    steps: int = 1
    every: int = 1
    stake: Tensor | None = None
    kinds: Mapping[str, Tensor] | None = None

    def look(self, board: Board) -> Tensor:
        """[B, N, F] what players see: who they are."""
        return torch.eye(self.players).expand(len(board.chance), -1, -1)

    def legal(self, board: Board) -> Tensor:
        """[L] bool, the same for everybody."""
        return torch.ones(sum(self.heads), dtype=torch.bool)

    def pay(self, board: Board) -> Tensor:
        """[B, N] what the last step earned."""
        raise NotImplementedError

    @property
    def roles(self) -> Mapping[str, Role]:
        """Players."""
        role = Role(
            count=self.players,
            features=self.features,
            heads=self.heads,
            every=self.every,
            stake=self.stake,
            kinds=self.kinds or {},
        )
        return {"player": role}

    @property
    def agents_by_region(self) -> Mapping[str, int]:
        """One table."""
        return {"table": self.players}

    @property
    def rounds(self) -> int:
        """Nobody replies."""
        return 1

    @property
    def edges(self) -> Tensor:
        """[0, N]: nobody writes letters."""
        return torch.zeros(0, self.players, dtype=torch.int64)

    def draws(self, replicas: int) -> range:
        """Every replica has its own."""
        return range(replicas)

    def reset(self, seed: int, replicas: int, ids: Ids) -> tuple[Players, Board]:
        """Nothing was played."""
        played = torch.zeros(replicas, 0, self.players, len(self.heads), dtype=torch.int64)
        return Players(ids=torch.as_tensor(ids["player"])), Board(played=played, chance=chances(seed, replicas, 0))

    def shocks(self, seed: int, replicas: int, step: int, ids: Ids) -> Shocks:
        """The chance of the next step."""
        return Shocks(agents={}, commons={"chance": chances(seed, replicas, step + 1)})

    def observe(self, agents: Players, commons: Board) -> Mapping[str, Observation]:
        """As the game says."""
        values = self.look(commons)[:, agents.ids]
        mask = self.legal(commons).expand(*values.shape[:2], -1)
        return {"player": Observation(values=values, mask=mask)}

    def scripted(self, agents: Players, commons: Board, shocks: Shocks) -> Mapping[str, Tensor]:
        """[B, n, H] the first legal level of each head."""
        lowest = Heads(self.heads).best(self.legal(commons).float())
        return {"player": lowest.expand(len(commons.chance), len(agents.ids), -1)}

    def decode(self, choices: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """[B, n, H] levels are what is done."""
        return choices

    def encode(self, actions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Nothing: learners start from nothing."""
        return {}

    def act(
        self, agents: Players, commons: Board, actions: Mapping[str, Tensor], shocks: Shocks
    ) -> tuple[Players, Bid]:
        """Everybody says a level for each head."""
        return agents, Bid(rows={"played": Rows(ids=agents.ids, values=actions["player"])})

    def clear(self, commons: Board, pool: Pool, shocks: Shocks, round: int) -> Board:
        """It is written down."""
        now = pool.rows["played"].values[:, None]
        chance = torch.cat([commons.chance, shocks.commons["chance"]], 1)
        return Board(played=torch.cat([commons.played, now], 1), chance=chance)

    def reply(self, agents: Players, commons: Board, mail: Mail, shocks: Shocks, round: int) -> tuple[Players, Bid]:
        """Never called: one round."""
        return agents, Bid()

    def settle(self, agents: Players, commons: Board, mail: Mail) -> tuple[Players, Outcome]:
        """Everybody is paid."""
        reward = self.pay(commons)[:, agents.ids].to(torch.float64)
        return agents, Outcome(reward={"player": reward}, terminated=commons.step >= self.steps, accounts=Bid())


def chances(seed: int, replicas: int, step: int) -> Tensor:
    """[B, 1] a number in [0, 1) for each replica, the same for any number of them."""
    return torch.as_tensor(draws.uniform(seed, 0, step, 0, np.arange(replicas)), dtype=torch.float32)[:, None]


@dataclass(frozen=True, kw_only=True)
class MatrixGame(Game):
    """Two players choose at once, and both earn the same: payoff[first][second]."""

    players: int = 2
    features: int = 2
    heads: tuple[int, ...] = (3,)
    payoff: tuple[tuple[float, ...], ...] = MEETING

    def pay(self, board: Board) -> Tensor:
        """The entry of the matrix."""
        first, second = board.last.unbind(1)
        return torch.tensor(self.payoff)[first, second][:, None].expand(-1, 2)


@dataclass(frozen=True, kw_only=True)
class TwoStepGame(Game):
    """The first player leads both to a safe place or to one where they must agree (Rashid et al. 2018, section 6.1)."""

    players: int = 2
    features: int = 5
    steps: int = 2
    safe: float = 7.0
    agreeing: tuple[tuple[float, ...], ...] = ((0.0, 1.0), (1.0, 8.0))

    def look(self, board: Board) -> Tensor:
        """Who one is, and whether one is at the start, the safe place or the other."""
        place = 1 + board.played[:, 0, 0, 0] if board.step else torch.zeros(len(board.chance), dtype=torch.int64)
        return torch.cat([super().look(board), one_hot(place, 3)[:, None].expand(-1, 2, -1)], 2)

    def pay(self, board: Board) -> Tensor:
        """Nothing on the way."""
        if board.step < self.steps:
            return torch.zeros(len(board.chance), 2)
        first, second = board.last.unbind(1)
        there = torch.tensor(self.agreeing)[first, second]
        return torch.where(board.played[:, 0, 0, 0] == 0, self.safe, there)[:, None].expand(-1, 2)


@dataclass(frozen=True, kw_only=True)
class Abater(Game):
    """A monopolist abates a share m of its emissions, at a price of carbon that changes from step to step.

        MAC(m) = P_b m^(k - 1),   reward = -(P_b m^k / k + price (1 - m)),   best at m = (price / P_b)^(1 / (k - 1))

    P_b -> backstop;  k -> convexity
    """

    heads: tuple[int, ...] = (11,)
    steps: int = 8
    backstop: float = 100.0
    convexity: float = 2.6

    def price(self, board: Board) -> Tensor:
        """[B, T + 1] between a tenth and nine tenths of the backstop."""
        return self.backstop * (0.1 + 0.8 * board.chance)

    def look(self, board: Board) -> Tensor:
        """The price."""
        return self.price(board)[:, -1:, None]

    def pay(self, board: Board) -> Tensor:
        """Less what abatement and the rest of the emissions cost."""
        abated = board.last / (self.heads[0] - 1)
        cost = self.backstop * abated**self.convexity / self.convexity
        return -(cost + self.price(board)[:, -2:-1] * (1 - abated))

    def best(self, price: Tensor) -> Tensor:
        """The level, not rounded, at which the marginal cost of abatement is the price."""
        return (price / self.backstop) ** (1 / (self.convexity - 1)) * (self.heads[0] - 1)


@dataclass(frozen=True, kw_only=True)
class Recall(Game):
    """One of two cues is shown once; it is asked for in the last step, when nothing shows it any more."""

    features: int = 2
    steps: int = 4

    def look(self, board: Board) -> Tensor:
        """The cue, -1 or 1, in the first step, 0 later; whether this is the last step."""
        cue = 2.0 * self.cue(board) - 1 if board.step == 0 else torch.zeros(len(board.chance))
        asked = torch.full_like(cue, board.step == self.steps - 1)
        return torch.stack([cue, asked], 1)[:, None]

    def cue(self, board: Board) -> Tensor:
        """[B] int64 0 or 1."""
        return (board.chance[:, 0] >= 0.5).long()

    def pay(self, board: Board) -> Tensor:
        """One for the right answer."""
        asked = board.step == self.steps
        return (board.last == self.cue(board)[:, None]) * float(asked)


@dataclass(frozen=True, kw_only=True)
class Forbidden(Game):
    """Higher levels earn more, but in each step some are forbidden; those would earn most of all."""

    players: int = 2
    features: int = 4
    heads: tuple[int, ...] = (4, 3)
    steps: int = 2
    temptation: float = 10.0

    def look(self, board: Board) -> Tensor:
        """Who one is, and the step."""
        step = one_hot(torch.tensor(min(board.step, 1)), 2).expand(len(board.chance), 2, -1)
        return torch.cat([super().look(board), step], 2)

    def legal(self, board: Board) -> Tensor:
        """Levels 0 and 2, and 0 and 1, in the first step; 0, 1 and 3, and 2 alone, in the second."""
        first, second = (1, 0, 1, 0, 1, 1, 0), (1, 1, 0, 1, 0, 0, 1)
        return torch.tensor(second if board.step else first, dtype=torch.bool)

    def best(self, step: int) -> tuple[int, ...]:
        """The best legal level of each head."""
        return ((2, 1), (3, 2))[step]

    def pay(self, board: Board) -> Tensor:
        """The sum of the levels; much where one is forbidden."""
        heads, now = Heads(self.heads), board.played[:, -1]
        before = Board(played=board.played[:, :-1], chance=board.chance[:, :-1])
        allowed = heads.chosen(self.legal(before).float().expand(*now.shape[:2], -1), now).bool()
        return torch.where(allowed, now.float(), self.temptation).sum(-1)


@dataclass(frozen=True, kw_only=True)
class Seldom(Game):
    """Who decides for three steps is tempted by the first: 3 now, or 2 in each of the other two.

    The run ends one step into the third interval, so that there the first is all there is.
    """

    features: int = 1
    steps: int = 7
    every: int = 3
    rewards: tuple[tuple[float, ...], ...] = ((3.0, 0.0), (0.0, 2.0), (0.0, 2.0))

    def look(self, board: Board) -> Tensor:
        """Share of the steps that are over."""
        return torch.full((len(board.chance), 1, 1), board.step / self.steps)

    def pay(self, board: Board) -> Tensor:
        """By step of the interval and level."""
        return torch.tensor(self.rewards)[(board.step - 1) % self.every][board.last]


@dataclass(frozen=True, kw_only=True)
class Tastes(Game):
    """Everybody has a taste, worth little beside what chance gives to all."""

    tastes: tuple[int, ...] = (0, 0, 1, 2, 1, 1, 2, 0)
    players: int = 8
    features: int = 8
    heads: tuple[int, ...] = (3,)
    steps: int = 8
    worth: float = 0.05

    def pay(self, board: Board) -> Tensor:
        """Chance, and a little for one's own taste."""
        return board.chance[:, -2:-1] + self.worth * (board.last == torch.tensor(self.tastes))


def two_kinds(size: int) -> Mapping[str, Tensor]:
    """So many players of each of two kinds."""
    return {"kind": torch.arange(2).repeat_interleave(size)}
