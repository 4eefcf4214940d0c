"""Kernels in which the steps of a unit are executed one after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.pipeline import Step

if TYPE_CHECKING:
    from jupyterlab_pipelines.execution.kernels import StepKernelManager


class LiveKernel:
    """A kernel that goes on living when a step has ended, for the next step of its unit.

    Attributes
    ----------
    cells
        Indexes of the setup and parameters cells that were executed in it.
    definitions
        Positions of the definitions that were executed in it.
    artifacts
        By name, what its variables and its process state stand for, as far as they could be stored.
    uncarriable
        Names in it that stand for what could not.
    known
        The notebook's definitions in it that values of later steps may refer to by name.
    parameters
        The replaced parameters that it was given.
    """

    def __init__(self, manager: StepKernelManager, parameters: Mapping[str, Any]) -> None:
        self.manager = manager
        self.parameters = parameters
        self.cells: set[int] = set()
        self.definitions: set[tuple[int, int]] = set()
        self.artifacts: dict[str, Artifact] = {}
        self.uncarriable: set[str] = set()
        self.known: set[str] = set()

    def close(self) -> None:
        """End the kernel as Jupyter does, so that what runs at exit does so."""
        self.manager.close()


@dataclass
class SharedKernel:
    """A kernel, and the steps that were executed in it, each with the cache key that it had."""

    kernel: LiveKernel
    executed: tuple[tuple[str, str], ...] = ()


class SharedKernels:
    """The kernels of one run that wait for the next step of their unit.

    Parameters
    ----------
    later
        Called with what ends a kernel, which takes its time.

    Attributes
    ----------
    wanted
        By step, the later one of its unit that wants to go on in its kernel.
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        self._later = later
        self._by_last_step: dict[str, SharedKernel] = {}
        self.wanted: dict[str, str] = {}

    def find(self, step: Step, keys: Mapping[str, str], parameters: Collection[str]) -> SharedKernel | None:
        """The kernel in which `step` can go on: all steps before it were executed there as they are now.

        Parameters
        ----------
        keys
            By step that has ended, its cache key now.
        parameters
            Those with a replaced value: the kernel must have been given all that `step` reads.
        """
        before = step.before_in_unit
        shared = self._by_last_step.get(before[-1]) if before else None
        if (
            shared is None
            or not set(parameters) & set(step.needs.parameters) <= shared.kernel.parameters.keys()
        ):
            return None
        return shared if shared.executed == tuple((name, keys.get(name)) for name in before) else None

    def take(self, shared: SharedKernel) -> None:
        """A step goes on in the kernel: it waits no longer."""
        self._by_last_step = {name: each for name, each in self._by_last_step.items() if each is not shared}

    def keep(self, step: str, cache_key: str, kernel: LiveKernel, before: SharedKernel | None) -> None:
        """The kernel waits now that `step` has been executed in it; `before`: as it was then."""
        earlier = self._by_last_step.pop(step, None)
        if earlier is not None:
            self._later(earlier.kernel.close)
        executed = before.executed if before else ()
        self._by_last_step[step] = SharedKernel(kernel, (*executed, (step, cache_key)))

    def close_unwanted(self, steps: Collection[Step]) -> None:
        """End kernels in which none of `steps` will go on."""
        chosen = {step.name: step for step in steps}
        for name in list(self._by_last_step):
            step = chosen.get(name)
            if step is None or not any(later in chosen for later in step.after_in_unit):
                self._later(self._by_last_step.pop(name).kernel.close)
