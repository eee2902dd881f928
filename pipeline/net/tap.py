"""Tap: a network cut above its deepest target, with no work behind it: picture [L,3,h,w] -> one map per target."""

from __future__ import annotations

import bisect
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from pipeline.errors import TargetError
from pipeline.net import classes, graphs
from pipeline.net.cards import Card
from pipeline.net.stem import Stem, normalised
from pipeline.net.targets import Target, depth, resolve, unknown_layer

# Two sizes that tell a map, which grows with the picture, from a vector, which does not.
_SMALL, _LARGE = 256, 384
_QUICK = 4e6  # weights of a network that is run for its shapes


@dataclass(frozen=True, eq=False)
class Network:
    """A network ready to be cut: its facts, and its module in eval mode, fp32, on the CPU, weights frozen.

    sha256: of the weights file, in hex. licence: of the weights, for people to read. whole: types of modules, and
    functions, that are taken as they are when it is traced, because they look at what goes through them.
    """

    card: Card
    module: nn.Module
    sha256: str
    licence: str
    whole: tuple[tuple[type[nn.Module], ...], tuple[Callable[..., Any], ...]] = ((), ())


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

    def on(self, device: torch.device, precision: torch.dtype) -> Cut:
        """This very cut, its network's weights in `precision`; what brings the picture to them stays fp32."""
        self.to(device).body.to(precision)
        return self

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Maps [L, C, h', w'], one per target, in their order, of picture [L, 3, h, w], RGB in 0..1.

        The picture may be finer than the weights (fp32 on bf16): it is normalised as it is.
        """
        dtype = next(self.body.parameters()).dtype
        seen = normalised(picture, self.mean, self.std).to(dtype, memory_format=torch.channels_last)
        maps: tuple[Tensor, ...] = self.body(seen)
        return [m if m.ndim == 4 else m[:, :, None, None] for m in maps]  # scores are a map of one place


def cut(network: Network, targets: Sequence[Target]) -> Cut:
    """`network` as far as the deepest of `targets`: a new module that shares no weights with it.

    TargetError: a layer or channel that is not there, or a layer whose output is no map.
    """
    trace = _trace(network)
    placed = tuple(_muted(_place(target, network, trace), network.card) for target in targets)
    scores = graphs.scores(network.module, trace.graph)
    body = _body(
        network.module, trace.graph, [scores if t.classes else trace.outputs[t.layer] for t in placed]
    )
    ghost = _ghost(body)
    small, large = _at_two_sizes(ghost, network.card, placed)
    known = zip(placed, small, large, strict=True)
    placed = tuple(_checked(target, network.card, before, after) for target, before, after in known)
    return Cut(body, network.card, placed, tuple(m.shape[1] for m in small), _least(ghost))


def layers(network: Network) -> list[Layer]:
    """Every layer of `network` that can be dreamed of, in the order they are computed."""
    return _layers(network, _trace(network))


@dataclass(frozen=True)
class _Trace:
    """graph: all that the network computes. outputs: module path -> the node of its output, in order."""

    graph: fx.Graph
    outputs: Mapping[str, fx.Node]


class _Tracer(fx.Tracer):
    def __init__(self, network: Network) -> None:
        leaves, functions = network.whole
        super().__init__(autowrap_functions=functions)
        self.leaves = leaves
        self.outputs: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self.leaves) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            path = self.path_of_module(m)
            self.outputs.pop(path, None)  # a module used again counts, and stands, where it is used last
            self.outputs[path] = result.node
        return result


def _trace(network: Network) -> _Trace:
    tracer = _Tracer(network)
    graph = tracer.trace(network.module)
    return _Trace(graph, tracer.outputs)


def _place(target: Target, network: Network, trace: _Trace) -> Target:
    """`target` with a module path of the traced network as its layer."""
    target = resolve(target, network.card)
    if target.classes:
        return target
    if (share := depth(target.layer)) is not None:
        trunk = [layer for layer in _layers(network, trace) if layer.trunk]
        # Among equally deep layers the one with the largest map, then the last: the activation, not its pool.
        nearest = max(enumerate(trunk), key=lambda at: (-abs(at[1].depth - share), at[1].side, at[0]))
        return replace(target, layer=nearest[1].path)
    if target.layer not in trace.outputs:
        raise unknown_layer(target.layer, network.card, (*trace.outputs, *network.card.paths))
    return target


def _muted(target: Target, card: Card) -> Target:
    """`target` without the channels its card mutes, unless it says itself which it wants."""
    if target.channels or target.rank:
        return target
    return replace(target, muted=card.muted.get(target.layer, ()))


def _at_two_sizes(
    ghost: nn.Module, card: Card, targets: tuple[Target, ...]
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    try:
        return _maps(ghost, _SMALL), _maps(ghost, _LARGE)
    except RuntimeError as problem:
        if not (heads := [target.text for target in targets if target.classes]):
            raise
        told = f"{heads[0]}: {card.name} tells classes in pictures of one size only, which no dream has."
        raise TargetError(f"{told} Give one of its layers: {', '.join(card.taps)}") from problem


def _checked(target: Target, card: Card, small: Tensor, large: Tensor) -> Target:
    """`target`, a class by now as the channel of its score."""
    if target.classes and isinstance(small, Tensor) and small.ndim in (2, 4):
        return replace(target, channels=(classes.number(target, small.shape[1], card.name),))
    if not _is_map(small, large):
        problem = f"{target.layer} of {card.name} gives no map to dream of"
        raise TargetError(f"{problem}. Its layers: {', '.join(card.taps)}")
    count = small.shape[1]
    if beyond := [c for c in target.channels if c >= count]:
        problem = f"{target.layer} has {count} channels, 0 to {count - 1}"
        raise TargetError(f"{problem}: there is no channel {beyond[0]}")
    if target.rank and target.count > count:
        raise TargetError(
            f"{target.layer} has {count} channels: there are no {target.count} {target.rank} ones"
        )
    return target


def _body(module: nn.Module, graph: fx.Graph, outputs: list[fx.Node]) -> fx.GraphModule:
    """The part of `module` that `outputs` need: weights of its own, frozen, channels last, ready to climb."""
    next(reversed(graph.nodes)).args = (tuple(outputs),)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    body = copy.deepcopy(fx.GraphModule(module, graph))
    calls = [node for node in body.graph.nodes if node.op == "call_module"]
    parts = {node: body.get_submodule(str(node.target)) for node in calls}
    graphs.fold_batch_norms(body.graph, parts)
    graphs.pool_before_relu(body.graph, parts)
    graphs.activate_in_place(body.graph, parts)
    for node, part in parts.items():
        sees_picture = any(before.op == "placeholder" for before in node.all_input_nodes)
        if sees_picture and isinstance(part, nn.Conv2d) and Stem.fits(part):
            body.set_submodule(str(node.target), Stem(part))
    body.delete_all_unused_submodules()
    body.recompile()
    return body.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _layers(network: Network, trace: _Trace) -> list[Layer]:
    ghost = _ghost(network.module)
    small, large = _values(ghost, trace.graph, _SMALL), _values(ghost, trace.graph, _LARGE)
    maps = {node for node in trace.graph.nodes if _is_map(small[node], large[node])}
    trunk, deep = graphs.trunk(trace.graph), graphs.depths(network.module, trace.graph, maps)
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


def _ghost(module: nn.Module) -> nn.Module:
    """What shapes are told on: a small network itself, or a copy without weights, on the meta device.

    That takes no memory and next to no time, but imports PyTorch's compiler: two seconds that a small network
    has done its work in many times over.
    """
    if sum(weight.numel() for weight in module.parameters()) < _QUICK:
        return module
    weights = {id(w): w.detach().to("meta", torch.float32) for w in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, weights)


def _blank(ghost: nn.Module, side: int) -> Tensor:
    blank = torch.zeros(1, 3, side, side)
    return blank.to(next(ghost.parameters(), blank))


@torch.no_grad()
def _maps(ghost: nn.Module, side: int) -> Sequence[Tensor]:
    """What a picture of this side becomes. Calling the module itself would tell of a failure on stderr first."""
    maps: Sequence[Tensor] = ghost.forward(_blank(ghost, side))
    return maps


@torch.no_grad()
def _values(ghost: nn.Module, graph: fx.Graph, side: int) -> dict[fx.Node, Any]:
    interpreter = fx.Interpreter(ghost, garbage_collect_values=False, graph=graph)
    interpreter.run(_blank(ghost, side))
    return interpreter.env


def _is_map(small: Any, large: Any) -> bool:
    if not isinstance(small, Tensor) or small.ndim != 4:
        return False
    return bool(small.size(2) < large.size(2) and small.size(3) < large.size(3))


def _least(ghost: nn.Module) -> int:
    """The smallest side that leaves no map empty. It exists and is at most _SMALL: that one was run."""

    def reaches(side: int) -> bool:
        try:
            return all(m.numel() for m in _maps(ghost, side))
        except RuntimeError:
            return False

    return 1 + bisect.bisect_left(range(1, _SMALL), True, key=reaches)
