"""Step a play on Ray: shards as actors, created in waves, rolled back together when one is lost.

The caller hands references from actor to actor, a few exchanges ahead of them, and holds no data.  A shard that is lost
or silent is made anew, on another node if there is one, and all shards return to the last checkpoint: random numbers
are keyed by step and agent, so what is played again is what was played.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carbonray.config import ScenarioError
from carbonray.runtime import checkpoint, cluster, placement
from carbonray.runtime.actors import BOOKS, Pulse, ShardActor, StepError, seal
from carbonray.runtime.checkpoint import CheckpointError, Commit, Place
from carbonray.runtime.placement import Split
from carbonray.runtime.shard import Play, Played, Tell

WAVE = 8
"""Actors created at once; hundreds at once do not come up."""
AHEAD = 4
"""Exchanges handed in before the first of them is awaited."""
TRIES = 3
"""Losses at the same checkpoint after which a run gives up."""
PATIENCE = 120.0
"""Seconds without an answer after which a shard is given up."""
NODE_ANSWERS = 5.0
"""Seconds in which a node that is alive starts a task."""


class LostError(RuntimeError):
    """A run that lost shards again and again at the same place."""


class _Lost(Exception):
    """Shards that died or fell silent."""

    def __init__(self, shards: Iterable[int], why: str, nodes: Iterable[str] = ()) -> None:
        super().__init__(why)
        self.shards, self.why, self.nodes = frozenset(shards), why, frozenset(nodes)


@dataclass(frozen=True, kw_only=True)
class OnRay:
    """The runtime of a Ray cluster: the bytes of one process for any sharding, any nodes and after any failure."""

    address: str | None = None  # of the cluster; one of this machine's cores if left out
    shard: str | None = None  # see `placement.split`
    place: Place | None = None  # of checkpoints; without one a loss costs all steps so far
    every: int = 10  # steps between checkpoints
    patience: float = PATIENCE  # seconds without an answer after which a shard is given up
    run: Mapping[str, Any] = field(default_factory=dict)  # what a checkpoint tells of the run
    resume: bool = False  # whether to go on from the checkpoint that stands at the place
    notices: list[str] = field(default_factory=list)  # what a user should know of a run that went on

    def play(self, play: Play[Any, Any, Any], tell: Tell) -> Played:
        """Step to the end, or until Ctrl-C.

        Raises:
            ScenarioError: if the cluster cannot be reached, or is too small.
            CheckpointError: if checkpoints cannot be kept or read at their place.
            StepError: if a step fails; it names the shard and the step.
            LostError: if shards are lost again and again.
        """
        told = checkpoint.read_run(self.place) if self.place and self.resume else None
        with cluster.connected(self.address):
            splits = placement.split(play.worlds[0], self.shard, told["shards"] if told else cluster.cores())
            placement.check_memory(len(splits), cluster.memory_mib(), self.shard)
            ensemble = Ensemble(self, play, splits)
            try:
                return ensemble.play(tell)
            finally:
                ensemble.disband()


@dataclass
class _Member:
    """A shard's actor."""

    handle: Any
    node: str
    receivers: list[int] = field(default_factory=list)


class Ensemble:
    """All shards of one run, and their caller."""

    def __init__(self, options: OnRay, play: Play[Any, Any, Any], splits: Sequence[Split]) -> None:
        """Hand what is played to the cluster; no actor is made yet."""
        import ray

        self.ray = ray
        self.options, self.splits = options, splits
        self.steps, self.rounds = play.steps, play.rounds
        self.place = options.place.absolute() if options.place else None
        self.commit: Commit | None = None
        self.digest = checkpoint.digest(play.worlds) if self.place else ""
        self.members: dict[int, _Member] = {}
        self._begun = False  # whether anything was written at the place
        self.suspects: set[str] = set()  # nodes that fell silent
        self._play = ray.put(seal(play))
        self._ids = ray.put([each.ids for each in splits])

    def play(self, tell: Tell) -> Played:
        """Step to the end, making shards anew as often as it takes."""
        interrupted = False
        try:
            self._prepare_place()
            kept = self._go_on(tell)
        except KeyboardInterrupt:
            interrupted = True
            kept = self._kept_in_time()
            self.options.notices.extend([f"interrupted{self._how_to_go_on()}"] if self.commit else [])
        finally:
            if self.commit is None and self._begun and self.place is not None:
                self.place.clear()
        ids = tuple(each.ids for each in self.splits)
        return Played(kept=tuple(zip(*kept, strict=True)), ids=ids, interrupted=interrupted)

    def disband(self) -> None:
        """End all actors."""
        for shard in list(self.members):
            self._dismiss(shard)

    def _go_on(self, tell: Tell) -> list[list[Any]]:
        losses, at = 0, -1
        while True:
            try:
                self._assemble()
                self._drive(tell)
                return self._kept()
            except _Lost as lost:
                stands = self.commit.step if self.commit else 0
                losses, at = (losses + 1 if stands == at else 1), stands
                names = ", ".join(self.splits[shard].name for shard in sorted(lost.shards)) or "a message"
                if losses > TRIES:
                    raise LostError(f"{names}: {lost.why} {losses} times after step {stands}; given up") from None
                self.options.notices.append(f"{names}: {lost.why}; made anew, went on from step {stands}")
                self.suspects |= lost.nodes
                for shard in lost.shards:
                    self._dismiss(shard)

    # --- the place of checkpoints

    def _prepare_place(self) -> None:
        """Read the checkpoint that stands, or begin a new one."""
        if self.place is None:
            return
        if not self.options.resume:
            self._begun = checkpoint.free(self.place)
            checkpoint.create(self.place, {**self.options.run, "shards": len(self.splits), "digest": self.digest})
            return
        told = checkpoint.read_run(self.place)
        if told["digest"] != self.digest or told["shards"] != len(self.splits):
            raise CheckpointError(
                f"{self.place.url}: was written for other data or by another carbonray; it cannot be resumed"
            )
        self.commit = checkpoint.read_commit(self.place)

    def _first_checkpoint(self) -> None:
        """Before any step: what cannot be written there is found out now."""
        if self.place is None or self.commit is not None:
            return
        seen = self._answers({k: m.handle.probe.remote(self.place) for k, m in self.members.items()})
        if not all(seen.values()):
            raise CheckpointError(
                f"{self.place.url}: not every machine sees it; give a shared folder or a URL for the checkpoints"
            )
        for shard in self.members:
            self.place.remove(f"{checkpoint.PROBE}-{shard}")
        self._checkpoint(0)
        lacking = self.place.lacks_room(checkpoint.folder(0))
        if lacking:
            self.commit = None
            raise CheckpointError(f"{self.place.url}: no room for checkpoints (No space left on device: {lacking})")

    def _checkpoint(self, step: int) -> None:
        assert self.place is not None
        try:
            written = self._answers({k: m.handle.save.remote(self.place, step) for k, m in self.members.items()})
        except CheckpointError as error:
            stands = f"; that of step {self.commit.step} stands, go on with --resume" if self.commit else ""
            raise CheckpointError(f"{error}{stands}") from None
        digests = tuple(written[shard] for shard in range(len(self.splits)))
        checkpoint.commit(self.place, step, digests)
        self.commit = Commit(step=step, digests=digests)

    # --- members

    def _assemble(self) -> None:
        """Every shard has its actor, and all stand at the last checkpoint."""
        missing = [shard for shard in range(len(self.splits)) if shard not in self.members]
        nodes = [node for node in cluster.nodes() if node.id not in self.suspects] or cluster.nodes()
        if not nodes:
            raise ScenarioError("--on ray: the cluster has no nodes")
        where = placement.spread(missing, nodes, [member.node for member in self.members.values()])
        for first in range(0, len(missing), WAVE):
            self._create(missing[first : first + WAVE], where)
        everyone = range(len(self.splits))
        self._answers(
            {
                shard: self.members[shard].handle.begin.remote(self._writers(shard), self.place, self.commit)
                for shard in everyone
            }
        )
        self._first_checkpoint()

    def _create(self, shards: Sequence[int], where: Mapping[int, str]) -> None:
        ray = self.ray
        kind = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(ShardActor)
        name = f"{self.options.run.get('name', 'run')}-{ray.get_runtime_context().get_job_id()}"
        for shard in shards:
            pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(where[shard], soft=False)
            handle = kind.options(scheduling_strategy=pinned).remote(shard, self.splits[shard].name, name)
            self.members[shard] = _Member(handle=handle, node=where[shard])
        try:
            met = self._answers({shard: self.members[shard].handle.meet.remote() for shard in shards})
            for shard, told in met.items():
                self._check_alike(told, where[shard])
            built = {shard: self.members[shard].handle.build.remote(self._play, self._ids) for shard in shards}
            for shard, receivers in self._answers(built).items():
                self.members[shard].receivers = receivers
        except _Lost:
            for shard in shards:  # none of them is of use before all of them are
                self._dismiss(shard)
            raise

    def _check_alike(self, told: Mapping[str, str], node: str) -> None:
        """Refuse machines whose bytes would differ.

        Raises:
            ScenarioError: naming the machine and what differs.
        """
        own = ShardActor.versions()
        for name, version in own.items():
            if told[name] != version:
                address = next((each.address for each in cluster.nodes() if each.id == node), node)
                raise ScenarioError(
                    f"--on ray: node {address} has {name} {told[name]}, this machine {version}; "
                    "the same bytes need the same versions and kind of CPU"
                )

    def _writers(self, shard: int) -> list[int]:
        return [other for other in range(len(self.splits)) if shard in self.members[other].receivers]

    def _method(self, name: str, shard: int) -> Any:
        member = self.members[shard]
        returns = 1 + len(member.receivers) + (shard == BOOKS)
        return getattr(member.handle, name).options(num_returns=returns)

    def _dismiss(self, shard: int) -> None:
        member = self.members.pop(shard, None)
        if member is not None:
            self.ray.kill(member.handle, no_restart=True)

    # --- steps

    def _drive(self, tell: Tell) -> None:
        """From the exchange of the last checkpoint to the closing one, which only books."""
        everyone = range(len(self.splits))
        heard = [self._heard_by(shard) for shard in everyone]
        turns = [self._method("turn", shard).remote for shard in everyone]
        said = [_listed(self._method("say", shard).remote()) for shard in everyone]
        waiting: deque[list[list[Any]]] = deque()
        first, last = (self.commit.step if self.commit else 0) * self.rounds, self.steps * self.rounds
        for number in range(first, last + 1):
            said = [_listed(turns[shard](number, *(said[a][b] for a, b in heard[shard]))) for shard in everyone]
            waiting.append(said)
            due = number < last and self._checkpoint_due(number + 1)
            while len(waiting) > (0 if due or number == last else AHEAD):
                self._await(waiting.popleft(), tell)
            if due:
                self._checkpoint((number + 1) // self.rounds)

    def _checkpoint_due(self, exchanges: int) -> bool:
        """Whether a checkpoint is written after so many exchanges."""
        step, within = divmod(exchanges, self.rounds)
        return self.place is not None and not within and (step % self.options.every == 0 or step == self.steps)

    def _heard_by(self, shard: int) -> list[tuple[int, int]]:
        """Who says what a shard hears: what each other says to all, then what each writer says to it."""
        pooled = [(other, 0) for other in range(len(self.splits)) if other != shard]
        letters = [(other, 1 + self.members[other].receivers.index(shard)) for other in self._writers(shard)]
        return pooled + letters

    def _await(self, said: list[list[Any]], tell: Tell) -> None:
        """Wait for an exchange, and tell what came of it."""
        self._all_there({shard: refs[0] for shard, refs in enumerate(said)})
        pulse: Pulse | None = self._answers({BOOKS: said[BOOKS][-1]})[BOOKS]
        if pulse is not None:
            tell(pulse.step, self.steps, {**pulse.so_far, "slowest_shard_seconds": max(pulse.seconds)})

    def _kept(self) -> list[list[Any]]:
        """What the recorders of each shard have."""
        found = self._answers({shard: member.handle.kept.remote() for shard, member in self.members.items()})
        return [found[shard] for shard in range(len(self.splits))]

    def _kept_in_time(self) -> list[list[Any]]:
        """The same after Ctrl-C.

        Raises:
            KeyboardInterrupt: if there is nothing to be had.
        """
        try:
            return self._kept()
        except Exception:
            raise KeyboardInterrupt(self._how_to_go_on()) from None

    def _how_to_go_on(self) -> str:
        if self.place is None or self.commit is None:
            return ""
        return f" after step {self.commit.step}; go on with: carbonray simulate --resume {self.place.url}"

    # --- answers, and what became of those who do not give them

    def _answers(self, refs: Mapping[int, Any]) -> dict[int, Any]:
        """What each shard answered.

        Raises:
            _Lost: shards that died or are silent.
            StepError: a step that failed.
            CheckpointError: a checkpoint that failed.
        """
        self._all_there(refs)
        try:
            return dict(zip(refs, self.ray.get(list(refs.values())), strict=True))
        except self.ray.exceptions.RayError as error:
            raise self._cause(error) from None

    def _all_there(self, refs: Mapping[int, Any]) -> None:
        """Wait until every shard has answered, well or not."""
        _, late = self.ray.wait(
            list(refs.values()), num_returns=len(refs), timeout=self.options.patience, fetch_local=False
        )
        if late:
            raise self._silence({shard for shard, ref in refs.items() if ref in late})

    def _cause(self, error: Any) -> Exception:
        """Why an answer failed: a failure of the run itself, or lost shards."""
        inner = error
        while inner is not None and not isinstance(inner, StepError | CheckpointError):
            inner = getattr(inner, "cause", None)
        if isinstance(inner, StepError):
            return self._told_best(inner)
        if inner is not None:
            return inner
        dead = self._dead()
        if dead:
            return _Lost(dead, "died")
        if isinstance(error, self.ray.exceptions.RayTaskError) and not isinstance(
            getattr(error, "cause", None), self.ray.exceptions.RayError
        ):
            return error
        return _Lost((), "lost on its way")

    def _told_best(self, error: StepError) -> StepError:
        """Of all shards' accounts of a failed step the one that names an agent, if any does."""
        told = [member.handle.failure.remote() for member in self.members.values()]
        answered, _ = self.ray.wait(told, num_returns=len(told), timeout=NODE_ANSWERS)
        try:
            named = [text for text in self.ray.get(answered) if text]
        except self.ray.exceptions.RayError:
            named = []
        return StepError(named[0]) if named else error

    def _dead(self) -> set[int]:
        """Shards whose actors do not live any more."""
        asked = {shard: member.handle.meet.remote() for shard, member in self.members.items()}
        self._all_there(asked)
        dead = set()
        for shard, ref in asked.items():
            try:
                self.ray.get(ref)
            except self.ray.exceptions.RayActorError:
                dead.add(shard)
        return dead

    def _silence(self, shards: set[int]) -> _Lost:
        """Whether it is the shards that are silent or the nodes on which they live."""
        patience = f"silent for {self.options.patience:g} s"
        there = {self.members[shard].node for shard in shards}
        tasks = {node: _on(self.ray, node) for node in there}
        answered, _ = self.ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=NODE_ANSWERS)
        hung = {node for node, ref in tasks.items() if ref not in answered}
        if hung:
            return _Lost({k for k, member in self.members.items() if member.node in hung}, patience, hung)
        return _Lost(shards, patience)


def _on(ray: Any, node: str) -> Any:
    """A task on a node that shows that it lives."""
    pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, max_retries=0)(_here).options(scheduling_strategy=pinned).remote()


def _here() -> bool:
    return True


def _listed(refs: Any) -> list[Any]:
    return refs if isinstance(refs, list) else [refs]
