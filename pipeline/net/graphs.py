"""Graphs: what traced networks tell of themselves, and how they are made lean: fx.Graph in."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_MAKING = (nn.Conv2d, nn.MaxPool2d)
_ADDING = (operator.add, operator.iadd, torch.add)
_AVERAGING = (nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Identity, nn.ReLU)


def scores(module: nn.Module, graph: fx.Graph) -> fx.Node:
    """What tells the classes: the map of scores before they are averaged, where there is one, else the end.

    A ReLU above it, as SqueezeNet's, would leave nothing to climb where a class is not seen yet.
    """
    end: fx.Node = next(reversed(graph.nodes)).all_input_nodes[0]
    node = end
    while node.all_input_nodes:
        part = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(part, nn.Conv2d):
            return node
        if not isinstance(part, _AVERAGING) and node.target is not torch.flatten:
            break
        node = node.all_input_nodes[0]
    return end


def fold_batch_norms(graph: fx.Graph, parts: Mapping[fx.Node, nn.Module]) -> None:
    """Fold each batch norm that follows a convolution into it, in place."""
    calls = Counter(node.target for node in parts)
    for node, norm in parts.items():
        before = node.all_input_nodes[0]
        convolution = parts.get(before)
        # A convolution that is read elsewhere, by another layer or as a target, stays as it is.
        alone = calls[before.target] == 1 and len(before.users) == 1
        # What is made of either, as timm's with an activation inside, does more than these two.
        if alone and type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
            fused = fuse_conv_bn_eval(convolution, norm)
            convolution.weight, convolution.bias = fused.weight, fused.bias
            node.replace_all_uses_with(before)
            graph.erase_node(node)


def pool_before_relu(graph: fx.Graph, parts: Mapping[fx.Node, nn.Module]) -> None:
    """The largest of what is positive is what is positive of the largest: the same, on a quarter of the values."""
    for relu in graph.nodes:
        pool = next(iter(relu.users), relu)
        alone = len(relu.users) == 1 and len(relu.all_input_nodes) == len(pool.all_input_nodes) == 1
        if not (
            alone and _is_a(relu, parts, nn.ReLU, F.relu) and _is_a(pool, parts, nn.MaxPool2d, F.max_pool2d)
        ):
            continue
        before = relu.all_input_nodes[0]
        pool.replace_input_with(relu, before)
        pool.replace_all_uses_with(relu)
        relu.replace_input_with(before, pool)
        pool.append(relu)


def _is_a(node: fx.Node, parts: Mapping[fx.Node, nn.Module], kind: type[nn.Module], function: object) -> bool:
    return isinstance(parts.get(node), kind) or (node.op == "call_function" and node.target is function)


def activate_in_place(graph: fx.Graph, parts: Mapping[fx.Node, nn.Module]) -> None:
    """Let activations work in place (3 to 7 % faster), but only on what is made for them and nobody else reads."""
    for node in list(graph.nodes):
        before = next(iter(node.all_input_nodes), node)
        made = isinstance(parts.get(before), _MAKING) or before.target in _ADDING
        part, alone = parts.get(node), made and len(before.users) == 1
        if type(part) is nn.ReLU:  # as a function: one module may stand in several places
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.call_function(F.relu, (before,), {"inplace": alone}))
            graph.erase_node(node)
        elif not alone and node.kwargs.get("inplace"):
            node.update_kwarg("inplace", False)
        elif not alone and getattr(part, "inplace", False):
            setattr(part, "inplace", False)  # noqa: B010


def trunk(graph: fx.Graph) -> set[fx.Node]:
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


def depths(module: nn.Module, graph: fx.Graph, maps: set[fx.Node]) -> dict[fx.Node, int]:
    """How many convolutions lie on the longest way from the picture to each node, counting those on maps."""
    deep: dict[fx.Node, int] = {}
    for node in graph.nodes:
        convolves = node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), nn.Conv2d)
        before = max((deep[other] for other in node.all_input_nodes), default=0)
        deep[node] = before + (convolves and node in maps)
    return deep
