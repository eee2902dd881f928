"""Tap: a network cut above its deepest target, with no work behind it: picture [L,3,h,w] -> one map per target."""

from __future__ import annotations

import bisect
import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pipeline.errors import TargetError
from pipeline.net.cards import Card
from pipeline.net.targets import Target, depth, resolve, unknown_layer

# Two sizes that tell a map, which grows with the picture, from a vector, which does not.
_SMALL, _LARGE = 256, 384


@dataclass(frozen=True, eq=False)
class Network:
    """A network ready to be cut: its facts, and its module in eval mode, fp32, on the CPU, weights frozen.

    sha256: of the weights file, in hex. licence: of the weights, for people to read.
    """

    card: Card
    module: nn.Module
    sha256: str
    licence: str


class Layer(NamedTuple):
    """A layer that can be dreamed of: its output is a map [L, channels, h, w].

    depth: its share, 0..1, of the convolutions on the longest way through the network.
    side: the map's height for a picture 256 high. trunk: all that is deeper is made from its map alone.
    """

    path: str
    depth: float
    channels: int
    side: int
    trunk: bool


class Cut(nn.Module):
    """The part of a network that its targets need, batch norms folded into the convolutions.

    targets: with module paths for layers. channels: of each target's map. least: smallest height and width,
    in pixels, of a picture that leaves no target's map empty.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: fx.GraphModule,
        card: Card,
        targets: tuple[Target, ...],
        channels: tuple[int, ...],
        least: int,
    ) -> None:
        super().__init__()
        self.body = body
        self.targets, self.channels, self.least = targets, channels, least
        self.register_buffer("mean", torch.tensor(card.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(card.std).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Maps [L, C, h', w'], one per target, in their order, of picture [L, 3, h, w], RGB in 0..1.

        The picture may be finer than the weights (fp32 on bf16): it is normalised as it is.
        """
        dtype = next(self.body.parameters()).dtype
        seen = ((picture - self.mean) / self.std).to(dtype, memory_format=torch.channels_last)
        return list(self.body(seen))


def cut(network: Network, targets: Sequence[Target]) -> Cut:
    """`network` as far as the deepest of `targets`: a new module that shares no weights with it.

    TargetError: a layer or channel that is not there, or a layer whose output is no map.
    """
    trace = _trace(network.module)
    placed = tuple(_place(target, network, trace) for target in targets)
    body = _body(network.module, trace.graph, [trace.outputs[target.layer] for target in placed])
    ghost = _ghost(body)
    small, large = fx.Interpreter(ghost).run(_blank(_SMALL)), fx.Interpreter(ghost).run(_blank(_LARGE))
    for target, before, after in zip(placed, small, large, strict=True):
        _check(target, network.card, before, after)
    return Cut(body, network.card, placed, tuple(m.shape[1] for m in small), _least(ghost))


def layers(network: Network) -> list[Layer]:
    """Every layer of `network` that can be dreamed of, in the order they are computed."""
    return _layers(network, _trace(network.module))


@dataclass(frozen=True)
class _Trace:
    """graph: all that the network computes. outputs: module path -> the node of its output, in order."""

    graph: fx.Graph
    outputs: Mapping[str, fx.Node]


class _Tracer(fx.Tracer):
    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[str, fx.Node] = {}

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            path = self.path_of_module(m)
            self.outputs.pop(path, None)  # a module used again counts, and stands, where it is used last
            self.outputs[path] = result.node
        return result


def _trace(module: nn.Module) -> _Trace:
    tracer = _Tracer()
    graph = tracer.trace(module)
    return _Trace(graph, tracer.outputs)


def _place(target: Target, network: Network, trace: _Trace) -> Target:
    """`target` with a module path of the traced network as its layer."""
    target = resolve(target, network.card)
    if (share := depth(target.layer)) is not None:
        trunk = [layer for layer in _layers(network, trace) if layer.trunk]
        # Among equally deep layers the one with the largest map, then the last: the activation, not its pool.
        nearest = max(enumerate(trunk), key=lambda at: (-abs(at[1].depth - share), at[1].side, at[0]))
        return replace(target, layer=nearest[1].path)
    if target.layer not in trace.outputs:
        raise unknown_layer(target.layer, network.card, (*trace.outputs, *network.card.paths))
    return target


def _check(target: Target, card: Card, small: Tensor, large: Tensor) -> None:
    if not _is_map(small, large):
        problem = f"{target.layer} of {card.name} gives no map to dream of"
        raise TargetError(f"{problem}. Its layers: {', '.join(card.taps)}")
    if beyond := [c for c in target.channels if c >= small.shape[1]]:
        count = small.shape[1]
        problem = f"{target.layer} has {count} channels, 0 to {count - 1}"
        raise TargetError(f"{problem}: there is no channel {beyond[0]}")


def _body(module: nn.Module, graph: fx.Graph, outputs: list[fx.Node]) -> fx.GraphModule:
    """The part of `module` that `outputs` need: weights of its own, frozen, channels last, ready to climb."""
    next(reversed(graph.nodes)).args = (tuple(outputs),)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    body = copy.deepcopy(fx.GraphModule(module, graph))
    calls = [node for node in body.graph.nodes if node.op == "call_module"]
    parts = {node: body.get_submodule(str(node.target)) for node in calls}
    _fold_batch_norms(body.graph, parts)
    _guard_outputs(body.graph, parts)
    body.delete_all_unused_submodules()
    body.recompile()
    return body.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _fold_batch_norms(graph: fx.Graph, parts: Mapping[fx.Node, nn.Module]) -> None:
    calls = Counter(node.target for node in parts)
    for node, norm in parts.items():
        before = node.all_input_nodes[0]
        convolution = parts.get(before)
        # A convolution that is read elsewhere, by another layer or as a target, stays as it is.
        alone = calls[before.target] == 1 and len(before.users) == 1
        if alone and isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(convolution, norm)
            convolution.weight, convolution.bias = fused.weight, fused.bias
            node.replace_all_uses_with(before)
            graph.erase_node(node)


def _guard_outputs(graph: fx.Graph, parts: Mapping[fx.Node, nn.Module]) -> None:
    """Let activations work in place (3 % faster) only on what a convolution made and nobody else reads."""
    for node in graph.nodes:
        before = next(iter(node.all_input_nodes), node)
        if isinstance(parts.get(before), nn.Conv2d) and len(before.users) == 1:
            continue
        if node.kwargs.get("inplace"):
            node.update_kwarg("inplace", False)
        if getattr(part := parts.get(node), "inplace", False):
            setattr(part, "inplace", False)  # noqa: B010


def _layers(network: Network, trace: _Trace) -> list[Layer]:
    ghost = _ghost(network.module)
    small, large = _values(ghost, trace.graph, _SMALL), _values(ghost, trace.graph, _LARGE)
    maps = {node for node in trace.graph.nodes if _is_map(small[node], large[node])}
    trunk, deep = _trunk(trace.graph), _depths(network.module, trace.graph, maps)
    deepest = max((deep[node] for node in maps), default=0) or 1
    # Modules that end with the same node are one layer: it goes by the card's name, or else the shortest.
    known = set(network.card.paths.values())
    names: dict[fx.Node, list[str]] = {}
    for path, node in trace.outputs.items():
        if node in maps:
            names.setdefault(node, []).append(path)
    paths = {node: min(same, key=lambda path: (path not in known, len(path))) for node, same in names.items()}
    return [
        Layer(
            path=path,
            depth=deep[node] / deepest,
            channels=small[node].shape[1],
            side=small[node].shape[2],
            trunk=node in trunk and path.split(".")[0] != "classifier",
        )
        for node, path in paths.items()
    ]


def _trunk(graph: fx.Graph) -> set[fx.Node]:
    """The nodes whose output alone is alive when they have run."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    last_use = {node: max((order[user] for user in node.users), default=-1) for node in graph.nodes}
    alive: set[fx.Node] = set()
    trunk = set()
    for node, now in order.items():
        alive = {other for other in alive if last_use[other] > now} | {node}
        if len(alive) == 1:
            trunk.add(node)
    return trunk


def _depths(module: nn.Module, graph: fx.Graph, maps: set[fx.Node]) -> dict[fx.Node, int]:
    """How many convolutions lie on the longest way from the picture to each node, counting those on maps."""
    deep: dict[fx.Node, int] = {}
    for node in graph.nodes:
        convolves = node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), nn.Conv2d)
        before = max((deep[other] for other in node.all_input_nodes), default=0)
        deep[node] = before + (convolves and node in maps)
    return deep


def _ghost(module: nn.Module) -> nn.Module:
    """A copy without weights, on the meta device: it computes shapes, in no memory and next to no time."""
    weights = {id(w): w.detach().to("meta", torch.float32) for w in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, weights)


def _blank(side: int) -> Tensor:
    return torch.empty(1, 3, side, side, device="meta")


def _values(ghost: nn.Module, graph: fx.Graph, side: int) -> dict[fx.Node, Any]:
    interpreter = fx.Interpreter(ghost, garbage_collect_values=False, graph=graph)
    interpreter.run(_blank(side))
    return interpreter.env


def _is_map(small: Any, large: Any) -> bool:
    if not isinstance(small, Tensor) or small.ndim != 4:
        return False
    return bool(small.size(2) < large.size(2) and small.size(3) < large.size(3))


def _least(ghost: nn.Module) -> int:
    """The smallest side that leaves no map empty. It exists and is at most _SMALL: that one was run."""

    def reaches(side: int) -> bool:
        try:
            return all(m.numel() for m in fx.Interpreter(ghost).run(_blank(side)))
        except RuntimeError:
            return False

    return 1 + bisect.bisect_left(range(1, _SMALL), True, key=reaches)
