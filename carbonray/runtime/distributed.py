"""Step a play on Ray: shards as actors, created in waves, rolled back together when one is lost.

The caller hands references from actor to actor, a few exchanges ahead of them, and holds no data.  A shard that is lost
or silent is made anew, on another node if there is one, and all shards return to the last checkpoint: random numbers
are keyed by step and agent, so what is played again is what was played.
"""

import time
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
NODE_ANSWERS = 30.0
"""Seconds in which a node that is alive starts a task, busy or not."""
START = 60.0
"""Seconds that an actor has at least to start and to load, however short the patience."""
WINDING_UP = 10.0
"""Seconds that shards have to hand over what they have after Ctrl-C."""


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
        tell(0, play.steps, {})
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
        asked = (play.worlds, play.policy, play.seed, play.replicas, play.steps)
        self.digest = checkpoint.digest(asked) if self.place else ""
        self.reached = 0  # the furthest step told
        self.members: dict[int, _Member] = {}
        self.owner = ""  # under which name the place is ours
        self.suspects: set[str] = set()  # nodes that fell silent
        self._play = ray.put(seal(play))
        self._ids = ray.put([each.ids for each in splits])

    def play(self, tell: Tell) -> Played:
        """Step to the end, making shards anew as often as it takes."""
        interrupted, made = False, self.place is not None and not self.place.exists()
        try:
            self._prepare_place()
            kept = self._go_on(tell)
        except KeyboardInterrupt:
            interrupted = True
            if self.place is not None and self.owner and self.commit is None and self.place.exists(checkpoint.COMMIT):
                self.commit = checkpoint.read_commit(self.place)  # Ctrl-C came just when the first one stood
            kept = self._kept_in_time()
            self.options.notices.extend([f"interrupted{self._how_to_go_on()}"] if self.commit else [])
        finally:
            self._leave_place(made)
        ids = tuple(each.ids for each in self.splits)
        hint = self._how_to_go_on() if interrupted else ""
        return Played(kept=tuple(zip(*kept, strict=True)), ids=ids, interrupted=interrupted, hint=hint)

    def disband(self) -> None:
        """End all actors."""
        for shard in list(self.members):
            self._dismiss(shard)

    def _go_on(self, tell: Tell) -> list[list[Any]]:
        losses, reached = 0, -1
        while True:
            try:
                self._assemble()
                self._drive(tell)
                return self._kept(self._start_patience)
            except _Lost as lost:
                losses, reached = (1 if self.reached > reached else losses + 1), max(self.reached, reached)
                self.reached = 0
                stands = self.commit.step if self.commit else 0
                names = ", ".join(self.splits[shard].name for shard in sorted(lost.shards)) or "a message"
                if losses > TRIES:
                    told = f"{names}: {lost.why} {losses} times after step {stands}; given up{self._how_to_go_on()}"
                    raise LostError(told) from None
                self.options.notices.append(f"{names}: {lost.why}; made anew, went on from step {stands}")
                self.suspects |= lost.nodes
                for shard in lost.shards:
                    self._dismiss(shard)
                time.sleep(losses - 1)

    @property
    def _start_patience(self) -> float:
        return max(self.options.patience, START)

    # --- the place of checkpoints

    def _prepare_place(self) -> None:
        """Read the checkpoint that stands, or begin a new one."""
        if self.place is None:
            return
        if not self.options.resume:
            run = {**self.options.run, "shards": len(self.splits), "digest": self.digest}
            self.owner = checkpoint.take(self.place, run)
            return
        told = checkpoint.read_run(self.place)
        if told["digest"] != self.digest or told["shards"] != len(self.splits):
            raise CheckpointError(
                f"{self.place.url}: was written for other data or by another carbonray; it cannot be resumed"
            )
        self.commit = checkpoint.read_commit(self.place)
        self.owner = checkpoint.own(self.place)

    def _leave_place(self, made: bool) -> None:  # noqa: FBT001
        """Leave whole checkpoints there, or nothing."""
        if self.place is None or not self.owner:
            return
        try:
            if not checkpoint.owned(self.place, self.owner):
                return
            if self.commit is not None:
                checkpoint.tidy(self.place)
                return
            checkpoint.clear(self.place)
            if made:
                self.place.remove_empty()
        except (OSError, CheckpointError):
            return  # what is left there is cleared by the next run

    def _check_place(self) -> None:
        """Before any step: what cannot be written there, or is not seen by all, is found out now."""
        if self.place is None:
            return
        for shard in self.members:
            self.place.remove(f"{checkpoint.PROBE}-{shard}")
        asked = {k: m.handle.probe.remote(self.place, self.owner) for k, m in self.members.items()}
        seen = self._answers(asked, self._start_patience)
        written = [self.place.exists(f"{checkpoint.PROBE}-{shard}") for shard in self.members]
        for shard in self.members:
            self.place.remove(f"{checkpoint.PROBE}-{shard}")
        if not all((*seen.values(), *written)):
            raise CheckpointError(
                f"{self.place.url}: not every machine sees it; give a shared folder or a URL for the checkpoints"
            )
        if self.commit is None:
            self._checkpoint(0)

    def _checkpoint(self, step: int) -> None:
        """Write a checkpoint and let it stand."""
        assert self.place is not None
        folder = checkpoint.folder(step)
        try:
            asked = {k: m.handle.save.remote(self.place, folder, step) for k, m in self.members.items()}
            written = self._answers(asked)
            digests = tuple(written[shard] for shard in range(len(self.splits)))
            at = Commit(step=step, folder=folder, digests=digests)
            lacking = checkpoint.lacks_room(self.place, folder) if self.commit is None else ""
            if lacking:
                raise CheckpointError(f"{self.place.url}: no room for checkpoints (No space left on device: {lacking})")
            checkpoint.commit(self.place, at, self.owner)
        except CheckpointError as error:
            stands = f"; that of step {self.commit.step} stands, go on with --resume" if self.commit else ""
            raise CheckpointError(f"{error}{stands}") from None
        self.commit = at
        self.suspects.clear()  # whoever was silent then may be well by now

    # --- members

    def _assemble(self) -> None:
        """Every shard has its actor, and all stand at the last checkpoint."""
        everyone = range(len(self.splits))
        missing = [shard for shard in everyone if shard not in self.members]
        for first in range(0, len(missing), WAVE):
            wave = missing[first : first + WAVE]
            nodes = [node for node in cluster.nodes() if node.id not in self.suspects] or cluster.nodes()
            if not nodes:
                raise ScenarioError("--on ray: the cluster has no nodes")
            held = [member.node for member in self.members.values()]
            where = placement.spread(missing[first:], nodes, held)
            self._create(wave, where)
        begun = {
            shard: self.members[shard].handle.begin.remote(self._writers(shard), self.place, self.commit)
            for shard in everyone
        }
        self._answers(begun, self._start_patience)
        self._check_place()

    def _create(self, shards: Sequence[int], where: Mapping[int, str]) -> None:
        ray = self.ray
        kind = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(ShardActor)
        name = f"{self.options.run.get('name', 'run')}-{ray.get_runtime_context().get_job_id()}"
        for shard in shards:
            pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(where[shard], soft=False)
            handle = kind.options(scheduling_strategy=pinned).remote(shard, self.splits[shard].name, name)
            self.members[shard] = _Member(handle=handle, node=where[shard])
        try:
            asked = {shard: self.members[shard].handle.versions.remote() for shard in shards}
            met = self._answers(asked, self._start_patience)
            for shard, told in met.items():
                self._check_alike(told, where[shard])
            built = {shard: self.members[shard].handle.build.remote(self._play, self._ids) for shard in shards}
            for shard, receivers in self._answers(built, self._start_patience).items():
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
        said = [self._method("say", shard).remote() for shard in everyone]
        waiting: deque[list[list[Any]]] = deque()
        first, last = (self.commit.step if self.commit else 0) * self.rounds, self.steps * self.rounds
        for number in range(first, last + 1):
            said = [turns[shard](number, *(said[a][b] for a, b in heard[shard])) for shard in everyone]
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
            self.reached = max(self.reached, pulse.step)
            tell(pulse.step, self.steps, {**pulse.so_far, "slowest_shard_seconds": max(pulse.seconds)})

    def _kept(self, patience: float) -> list[list[Any]]:
        """What the recorders of each shard have."""
        asked = {shard: member.handle.kept.remote() for shard, member in self.members.items()}
        found = self._answers(asked, patience)
        return [found[shard] for shard in range(len(self.splits))]

    def _kept_in_time(self) -> list[list[Any]]:
        """The same after Ctrl-C.

        Raises:
            KeyboardInterrupt: if there is nothing to be had.
        """
        try:
            return self._kept(WINDING_UP)
        except (_Lost, StepError, CheckpointError, KeyError, self.ray.exceptions.RayError, KeyboardInterrupt):
            raise KeyboardInterrupt(self._how_to_go_on()) from None

    def _how_to_go_on(self) -> str:
        if self.place is None or self.commit is None:
            return ""
        return f" after step {self.commit.step}; go on with: carbonray simulate --resume {self.place.url}"

    # --- answers, and what became of those who do not give them

    def _answers(self, refs: Mapping[int, Any], patience: float | None = None) -> dict[int, Any]:
        """What each shard answered.

        Raises:
            _Lost: shards that died or are silent.
            StepError: a step that failed.
            CheckpointError: a checkpoint that failed.
        """
        self._all_there(refs, patience)
        try:
            return dict(zip(refs, self.ray.get(list(refs.values())), strict=True))
        except self.ray.exceptions.RayError as error:
            raise self._cause(error) from None

    def _all_there(self, refs: Mapping[int, Any], patience: float | None = None) -> None:
        """Wait until every shard has answered, well or not."""
        seconds = patience or self.options.patience
        _, late = self.ray.wait(list(refs.values()), num_returns=len(refs), timeout=seconds, fetch_local=False)
        if late:
            raise self._silence({shard for shard, ref in refs.items() if ref in late}, seconds)

    def _cause(self, error: Any) -> Exception:
        """Why an answer failed: a failure of the run itself, or lost shards."""
        failures, told = self.ray.exceptions, error
        while told is not None and (isinstance(told, failures.RayError) or not isinstance(told, OWN)):
            told = getattr(told, "cause", None)  # Ray's errors pass for what they wrap, with its whole traceback
        if isinstance(told, StepError):
            return self._told_best(told)
        if told is not None:
            return told
        dead = self._dead()
        if dead:
            return _Lost(dead, f"died ({_why(next(iter(dead.values())))})")
        if isinstance(error, failures.RayTaskError) and not isinstance(error.cause, failures.RayError):
            return RuntimeError(str(error))  # a fault of the program, with its traceback
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

    def _dead(self) -> dict[int, Any]:
        """Shards whose actors do not live any more, and what Ray says of each.

        Raises:
            ScenarioError: if an actor could not even be made.
        """
        asked = {shard: member.handle.versions.remote() for shard, member in self.members.items()}
        self._all_there(asked, self._start_patience)
        dead = {}
        for shard, ref in asked.items():
            try:
                self.ray.get(ref)
            except self.ray.exceptions.RayError as error:
                if "creation task" in str(error):
                    raise ScenarioError(f"--on ray: actors cannot be made: {_last_line(error)}") from None
                dead[shard] = error
        return dead

    def _silence(self, shards: set[int], seconds: float) -> _Lost:
        """Whether it is the shards that are silent or the nodes on which they live."""
        patience = f"silent for {seconds:g} s, longer than --patience"
        there = {self.members[shard].node for shard in shards}
        tasks = {node: _on(self.ray, node) for node in there}
        answered, _ = self.ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=NODE_ANSWERS)
        hung = {node for node, ref in tasks.items() if ref not in answered}
        if hung:
            return _Lost({k for k, member in self.members.items() if member.node in hung}, patience, hung)
        return _Lost(shards, patience)


OWN = (StepError, CheckpointError)
"""Failures of the run itself, in one line each."""


def _last_line(error: BaseException) -> str:
    return ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]


def _why(error: BaseException) -> str:
    """What Ray knows of a dead actor, in a few words."""
    told = next((line for line in str(error).splitlines() if "dead because" in line), _last_line(error))
    return told.partition("because ")[2].partition(". ")[0].rstrip(".") or type(error).__name__


def _on(ray: Any, node: str) -> Any:
    """A task on a node that shows that it lives."""
    pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    alive = ray.remote(num_cpus=0, max_retries=0)(lambda: True)  # sent by value: the node need not import carbonray
    return alive.options(scheduling_strategy=pinned).remote()
