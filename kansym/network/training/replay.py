"""One operation recorded as a device graph and replayed; run as it is where nothing can be recorded."""

from __future__ import annotations

from collections.abc import Callable

import torch

_WARM = 2
"""Runs before recording, so that libraries have their handles and workspaces."""


class Replay:
    """Run a function without arguments that works in place on tensors of fixed shape and place.

    On CUDA its launches are recorded once, after runs to warm up on a side stream, and replayed, which costs
    the host next to nothing. Where recording fails (a loss that looks at values, say), it runs as it is;
    `recorded` and `reason` say what happened. `restore` undoes what the warm-up runs changed.
    """

    def __init__(self, run: Callable[[], None], device: str, restore: Callable[[], None]) -> None:
        self._run, self._graph = run, None
        self.reason = "the device is a CPU"
        if not device.startswith("cuda"):
            return
        try:
            self._graph = _recorded(run)
            self.reason = ""
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as problem:
            self.reason = str(problem).splitlines()[0]
            torch.cuda.synchronize()
        restore()

    @property
    def recorded(self) -> bool:
        """Tell whether calls replay a recording."""
        return self._graph is not None

    def __call__(self) -> None:
        """Run once."""
        if self._graph is None:
            self._run()
        else:
            self._graph.replay()


def _recorded(run: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """Return steps recorded as one graph of the device, after some to warm up."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph
