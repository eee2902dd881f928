"""Networks: their cards, the targets people write, the weights they are given, and the cut above the target."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import imageio.v3 as iio
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import ModelError, TargetError, UsageError
from pipeline.net import zoo
from pipeline.net.cards import CARDS, Card, card
from pipeline.net.stem import Stem
from pipeline.net.tap import Cut, Network, cut, layers
from pipeline.net.targets import Target, parse_targets, resolve

DIFFERENT = [
    name for name in CARDS if name != "googlenet_places365"
]  # that is bvlc_googlenet, of other classes


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Pictures this small are no work to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def network(name: str) -> Network:
    """The whole network with random weights that keep activations near 1, and batch norms that do something.

    In fp64, where a wrong graph differs and rounding does not.
    """
    module = zoo._skeleton(name)
    if name in ("alexnet", "vgg16", "vgg19"):
        module.classifier = nn.Identity()  # large, and no dream reaches it
    module = module.to_empty(device="cpu").double()
    random = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.LayerNorm):
            part.weight.uniform_(0.5, 1.5, generator=random)
            part.bias.normal_(0, 0.2, generator=random)
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2, generator=random)
            part.running_var.uniform_(0.5, 1.5, generator=random)
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.normal_(0, math.sqrt(2 / part.weight[0].numel()), generator=random)
            if part.bias is not None:
                part.bias.normal_(0, 0.1, generator=random)
    for path, weight in module.named_parameters():
        if path.endswith("layer_scale"):
            weight.uniform_(0.2, 0.5, generator=random)
    return Network(card(name), module, "", "")


def weights(name: str) -> dict[str, Tensor]:
    return {path: weight.float() for path, weight in network(name).module.state_dict().items()}


def everything(*paths: str) -> tuple[Target, ...]:
    return tuple(Target(path, (), None, 1.0, path) for path in paths)


@functools.cache
def cut_at_taps(name: str) -> Cut:
    return cut(network(name), everything(*CARDS[name].taps))


def uncut(net: Network, paths: list[str], picture: Tensor) -> list[Tensor]:
    """What forward hooks on the whole network see, copied before anything can work on it in place."""
    seen: dict[str, Tensor] = {}
    hooks = [
        net.module.get_submodule(path).register_forward_hook(
            lambda _module, _inputs, output, path=path: seen.update({path: output.clone()})
        )
        for path in set(paths)
    ]
    net.module(normal(picture, net.card))
    for hook in hooks:
        hook.remove()
    return [seen[path] for path in paths]


def normal(picture: Tensor, facts: Card) -> Tensor:
    return (picture - torch.tensor(facts.mean).view(3, 1, 1)) / torch.tensor(facts.std).view(3, 1, 1)


def decibels(expected: Tensor, found: Tensor) -> float:
    expected, found = expected.detach(), found.detach()
    error = (expected - found).abs().max().clamp_min(1e-30)
    return 20 * math.log10(expected.abs().max() / error)


def alike(expected: list[Tensor], found: list[Tensor]) -> float:
    """Decibels of the map that differs most."""
    return min(decibels(e, f) for e, f in zip(expected, found, strict=True))


def picture(height: int = 64, width: int = 72, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(
        1, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).to(dtype)


# Cards


def test_cards_and_targets_load_no_torch() -> None:
    code = "import sys, pipeline.net.cards, pipeline.net.targets; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("name", CARDS)
def test_every_card_is_true(name: str) -> None:
    facts, module = CARDS[name], zoo._skeleton(name)
    known = {layer.path: layer.depth for layer in layers(Network(facts, module, "", ""))}
    inside = {path for path, _ in module.named_modules()}
    assert set(facts.paths.values()) <= inside
    depths = [known[facts.paths[tap.lower()]] for tap in facts.taps]
    assert depths == sorted(depths)
    auxiliary = 3_326_696 if name == "inception_v3" else 0  # counted by torchvision, not built here
    assert sum(weight.numel() for weight in module.parameters()) + auxiliary == facts.parameters
    assert all(resolve(target, facts).layer in inside for target in parse_targets(facts.layers))
    assert all(resolve(target, facts).layer == target.layer for target in everything(*known))


@pytest.mark.parametrize("name", [name for name, facts in CARDS.items() if facts.builder == "torchvision"])
def test_every_card_names_weights_of_that_size_that_torchvision_has(name: str) -> None:
    from torchvision.models import get_model_weights

    assert get_model_weights(name)[CARDS[name].weights].meta["_file_size"] == pytest.approx(
        CARDS[name].megabytes, abs=0.1
    )


def test_the_two_inceptions_see_what_they_were_trained_on() -> None:
    from torchvision.models import GoogLeNet, Inception3

    usual = normal(picture(), card("resnet50"))
    for name, kind in (("googlenet", GoogLeNet), ("inception_v3", Inception3)):
        trained_on = kind._transform_input(SimpleNamespace(transform_input=True), usual)
        assert torch.allclose(normal(picture(), CARDS[name]), trained_on, atol=1e-5)
        assert not zoo._skeleton(name).transform_input


def test_a_misspelt_network_is_known_before_torch_is_loaded_and_no_other_is_taken_for_one() -> None:
    from torchvision import models

    with pytest.raises(UsageError, match="Did you mean googlenet"):
        card("gogglenet")
    for name in set(models.list_models(module=models)) - set(CARDS):
        assert not card(name).listed


@pytest.mark.parametrize(
    ("name", "alias", "path"),
    [
        ("googlenet", "inception_4c/output", "inception4c"),
        ("googlenet", "Inception_4c", "inception4c"),
        ("googlenet", "4c", "inception4c"),
        ("googlenet", "mixed4c", "inception4c"),
        ("googlenet", "inception_3b/5x5_reduce", "inception3b.branch3.0"),
        ("inception_v3", "mixed3", "Mixed_6a"),
        ("inception_v3", "mixed5", "Mixed_6c"),
        ("inception_v3", "mixed10", "Mixed_7c"),
        ("inception_v3", "Mixed_5b", "Mixed_5b"),
        ("vgg16", "relu4_3", "features.22"),
        ("vgg16", "conv5_1", "features.24"),
        ("vgg19", "conv5_1", "features.28"),
        ("squeezenet1_0", "fire9", "features.12"),
        ("squeezenet1_1", "fire6", "features.9"),
        ("resnet50", "res4f", "layer3.5"),
        ("densenet121", "denseblock3", "features.denseblock3"),
        ("efficientnet_b0", "block4c", "features.4.2"),
        ("convnext_tiny", "stage3", "features.5"),
    ],
)
def test_layers_answer_to_the_names_people_know_them_by(name: str, alias: str, path: str) -> None:
    assert resolve(parse_targets(alias)[0], CARDS[name]).layer == path


# Targets


def test_a_target_says_layer_channels_place_and_weight() -> None:
    assert parse_targets("inception4c:0.7, inception3b#12+40+12@50x25:-.3,60%") == (
        Target("inception4c", (), None, 0.7, "inception4c:0.7"),
        Target("inception3b", (12, 40), (50, 25), -0.3, "inception3b#12+40+12@50x25:-.3"),
        Target("60%", (), None, 1.0, "60%"),
    )
    assert parse_targets("motif/eye+tentacle")[0].layer == "motif/eye+tentacle"


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("", 0, "expected a layer"),
        ("a,,b", 2, "expected a layer"),
        ("a, b c", 3, "expected a layer"),
        ("a:0", 2, "other than 0"),
        ("a:x", 2, "expected a weight"),
        ("a:1e999", 2, "other than 0"),
        ("a:0.5#3", 2, "expected a weight"),
        ("a#", 2, "channel numbers"),
        ("b, a#1+x", 5, "channel numbers"),
        ("a#-1", 2, "channel numbers"),
        ("a@50", 2, "expected a place"),
        ("a@50x101", 2, "expected a place"),
        ("101%", 0, "at most 100%"),
    ],
)
def test_a_target_that_cannot_be_read_is_pointed_at(text: str, at: int, expected: str) -> None:
    with pytest.raises(TargetError) as refused:
        parse_targets(text)
    problem, shown, caret = str(refused.value).split("\n")
    assert expected in problem
    assert shown == f"  {text}"
    assert caret.index("^") == at + 2


@given(st.text(alphabet=st.sampled_from("ab19%.#+@x:,-e/ \n٣"), max_size=30))
def test_no_text_ends_in_anything_but_targets_or_a_target_error(text: str) -> None:
    try:
        found = parse_targets(text)
    except TargetError:
        return
    assert all(target.layer and math.isfinite(target.weight) and target.weight for target in found)


def test_a_layer_a_network_cannot_have_is_refused_before_torch_is_loaded() -> None:
    with pytest.raises(TargetError, match=r"no layer 'inseption4c'.*Did you mean inception4c"):
        resolve(parse_targets("inseption4c")[0], CARDS["googlenet"])
    with pytest.raises(TargetError, match=r"'fc'(.|\n)*layer3"):
        resolve(parse_targets("fc")[0], CARDS["resnet50"])
    assert resolve(parse_targets("layer3.2.conv1")[0], CARDS["resnet50"]).layer == "layer3.2.conv1"


# Cutting


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_cut_sees_and_climbs_as_the_whole_network_does(name: str) -> None:
    net, part = network(name), cut_at_taps(name)
    side = max(CARDS[name].least, 64)
    ours, theirs = picture(side, side).requires_grad_(), picture(side, side).requires_grad_()
    found, expected = part(ours), uncut(net, [target.layer for target in part.targets], theirs)
    assert [tuple(m.shape) for m in found] == [tuple(m.shape) for m in expected]
    assert [m.shape[1] for m in found] == list(part.channels)
    assert alike(expected, found) > 200
    for maps in (found, expected):
        sum(m.square().mean() / m.detach().square().mean() for m in maps).backward()
    assert decibels(theirs.grad, ours.grad) > 200


@pytest.mark.parametrize("name", DIFFERENT)
def test_least_is_the_smallest_picture_that_reaches_the_deepest_tap(name: str) -> None:
    part, least = cut_at_taps(name), CARDS[name].least
    assert part.least == least
    with torch.no_grad():
        assert all(m.numel() for m in part(picture(least, least)))
        if least > 1:
            with pytest.raises((RuntimeError, AssertionError)):
                assert all(m.numel() for m in part(picture(least - 1, least)))


def test_nothing_deeper_than_the_target_is_computed_or_kept() -> None:
    net = network("googlenet")
    shallow, deep = cut(net, everything("inception4c")), cut_at_taps("googlenet")
    assert len(shallow.body.graph.nodes) < len(deep.body.graph.nodes)
    kept = {path.split(".")[0] for path, _ in shallow.body.named_parameters()}
    assert kept == {"conv1", "conv2", "conv3"} | {f"inception{b}" for b in ("3a", "3b", "4a", "4b", "4c")}
    assert not any(isinstance(part, nn.Linear) for part in deep.body.modules())


def test_batch_norms_are_folded_away_but_a_convolution_that_is_a_target_stays_itself() -> None:
    net = network("resnet50")
    assert not any(isinstance(part, nn.BatchNorm2d) for part in cut_at_taps("resnet50").modules())
    part = cut(net, everything("conv1", "bn1", "layer1.0.conv2"))
    expected = uncut(net, ["conv1", "bn1", "layer1.0.conv2"], picture())
    assert alike(expected, part(picture())) > 200


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("vgg16", ["features.0", "features.2"]),
        ("squeezenet1_0", ["features.0", "features.3.squeeze", "features.3.expand3x3"]),
        ("alexnet", ["features.0", "features.3"]),
        ("resnet50", ["layer1.0.bn1", "layer1.0.bn3", "layer1.0.downsample"]),
        ("googlenet", ["conv1.bn"]),
        ("densenet121", ["features.norm0"]),
    ],
)
def test_an_activation_in_place_does_not_overwrite_the_target_before_it(name: str, paths: list[str]) -> None:
    net = network(name)
    found, expected = cut(net, everything(*paths))(picture()), uncut(net, paths, picture())
    assert all(float(m.min()) < 0 for m in expected)
    assert alike(expected, found) > 200


def test_a_cut_leaves_its_network_and_other_cuts_alone() -> None:
    net = network("squeezenet1_0")
    before = {path: weight.clone() for path, weight in net.module.state_dict().items()}
    first, second = cut(net, everything("fire4")), cut(net, everything("fire4"))
    with torch.no_grad():
        for weight in first.parameters():
            weight.zero_()
    assert not any(weight.requires_grad for weight in second.parameters())
    assert all(torch.equal(weight, before[path]) for path, weight in net.module.state_dict().items())
    assert alike(uncut(net, ["features.5"], picture()), second(picture())) > 200


def test_a_network_in_bf16_climbs_a_picture_in_fp32() -> None:
    whole, half = (cut(network("squeezenet1_0"), everything("fire4")) for _ in range(2))
    half.to(torch.bfloat16)
    seen = picture(dtype=torch.float32).requires_grad_()
    (found,) = half(seen)
    assert found.dtype is torch.bfloat16
    found.float().square().mean().backward()
    assert seen.grad is not None
    assert seen.grad.dtype is torch.float32
    assert decibels(whole(picture())[0], found.double()) > 30


def test_lanes_do_not_see_each_other() -> None:
    part = cut_at_taps("mobilenet_v3_large")
    both = part(torch.cat([picture(), picture().flip(3)]))
    assert alike(part(picture()), [maps[:1] for maps in both]) > 200


@pytest.mark.parametrize(
    ("name", "share", "path"),
    [
        ("googlenet", "60%", "inception4c"),
        ("vgg16", "77%", "features.22"),
        ("squeezenet1_0", "0%", "features.1"),
        ("squeezenet1_0", "100%", "features.12"),
    ],
)
def test_a_depth_is_a_share_of_the_convolutions_and_never_the_classifier(
    name: str, share: str, path: str
) -> None:
    assert cut(network(name), parse_targets(share)).targets[0].layer == path


def test_layers_are_listed_as_they_are_computed() -> None:
    found = [layer for layer in layers(network("googlenet")) if layer.trunk]
    assert [layer.path for layer in found if layer.path.startswith("inception")] == [
        f"inception{block}" for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert [layer.depth for layer in found] == sorted(layer.depth for layer in found)
    assert found[-1][:4] == ("inception5b", 1.0, 1024, 8)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("inception4c.branch9", r"no layer 'inception4c.branch9'.*Did you mean inception4c.branch"),
        ("inception4c#511+512", r"512 channels, 0 to 511: there is no channel 512"),
    ],
)
def test_a_layer_or_channel_that_is_not_there_is_named(text: str, problem: str) -> None:
    with pytest.raises(TargetError, match=problem):
        cut(network("googlenet"), parse_targets(text))


def test_a_layer_that_gives_no_map_is_refused() -> None:
    with pytest.raises(TargetError, match=r"classifier\.3 of squeezenet1_1 gives no map"):
        cut(network("squeezenet1_1"), everything("classifier.3"))


# Weights


@pytest.fixture
def squeeze() -> dict[str, Tensor]:
    return weights("squeezenet1_1")


def saved(folder: Path, state: object, name: str = "weights.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "DataParallel", "safetensors", "half"])
def test_weights_are_read_however_they_were_saved(
    wrap: str, squeeze: dict[str, Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    if wrap == "safetensors":
        save_file(squeeze, file)
    else:
        state: object = {
            "plain": squeeze,
            "state_dict": {"epoch": 3, "state_dict": squeeze},
            "DataParallel": {f"module.{path}": weight for path, weight in squeeze.items()},
            "half": {path: weight.half() for path, weight in squeeze.items()},
        }[wrap]
        file = saved(tmp_path, state)
    net = zoo.load("squeezenet1_1", file)
    exact = wrap != "half"
    for path, weight in net.module.state_dict().items():
        assert (
            torch.equal(weight, squeeze[path]) if exact else torch.allclose(weight, squeeze[path], atol=1e-2)
        )
        assert weight.dtype is torch.float32
    assert net.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name in net.licence
    assert not net.module.training
    assert not any(weight.requires_grad for weight in net.module.parameters())


def test_a_network_trained_on_other_classes_can_dream(squeeze: dict[str, Tensor], tmp_path: Path) -> None:
    for path in ("classifier.1.weight", "classifier.1.bias"):
        squeeze[path] = squeeze[path][:365].clone()
    net = zoo.load("squeezenet1_1", saved(tmp_path, squeeze))
    assert net.module(picture(dtype=torch.float32)).shape == (1, 365)


def test_heads_for_training_and_old_names_are_no_obstacle(tmp_path: Path) -> None:
    state = weights("googlenet") | {"aux1.conv.conv.weight": torch.zeros(1), "aux2.fc2.bias": torch.zeros(1)}
    assert zoo.load("googlenet", saved(tmp_path, state)).module(picture(dtype=torch.float32)).shape == (
        1,
        1000,
    )

    dense = weights("densenet121")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(?=[12]\.)", r"\1.", path): weight
        for path, weight in dense.items()
        if not path.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    loaded = zoo.load("densenet121", saved(tmp_path, old)).module.state_dict()
    assert all(
        torch.equal(loaded[path], weight) for path, weight in dense.items() if "num_batches" not in path
    )


def test_weights_of_another_network_are_recognised(squeeze: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no conv1\.conv\.weight.*the weights of squeezenet1_1") as refused:
        zoo.load("googlenet", saved(tmp_path, squeeze))
    assert "\n" not in str(refused.value)
    with pytest.raises(ModelError, match=r"no features\.5\.squeeze\.weight.*squeezenet1_1"):
        zoo.load("squeezenet1_0", saved(tmp_path, squeeze))


class Evil:
    """What unpickling must not run."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.victim,)


def test_a_file_that_is_no_weights_is_one_clear_line_and_runs_nothing(
    squeeze: dict[str, Tensor], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "text.pth").write_text("these are not the weights")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps({"weight": Evil(victim)}, protocol=2))
    saved(tmp_path, {"weight": Evil(victim)}, "evil.pth")
    saved(tmp_path, [1, 2], "list.pth")
    saved(tmp_path, {"weight": 3}, "number.pth")
    save_file(squeeze, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "stub.safetensors").write_bytes(whole[:5])
    half = saved(tmp_path, squeeze, "half.pth")
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (tmp_path / "folder.pth").mkdir()
    bad = [path for path in tmp_path.iterdir() if path.name != "whole.safetensors"]
    assert len(bad) == 10
    for path in (*bad, tmp_path / "absent.pth", tmp_path / "absent.safetensors"):
        with pytest.raises(ModelError, match=re.escape(path.name)) as refused:
            zoo.load("squeezenet1_1", path)
        assert "\n" not in str(refused.value)
    assert not victim.exists()


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "swin_v2_t", "maxvit_t"])
def test_transformers_are_refused_in_a_line(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is a transformer") as refused:
        zoo.load(name, Path("never read"))
    assert "\n" not in str(refused.value)


def test_a_network_nobody_has_is_refused_with_close_names() -> None:
    with pytest.raises(UsageError, match=r"Did you mean .*resnet18"):
        zoo.load("resnet81")
    with pytest.raises(UsageError, match="no network 'fcn_resnet50'"):
        zoo.load("fcn_resnet50")


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_x_400mf"])
def test_convolutional_classifiers_without_a_card_can_dream(name: str, tmp_path: Path) -> None:
    net = zoo.load(name, saved(tmp_path, weights(name)))
    part = cut(net, parse_targets(net.card.layers))
    assert part.targets[0].layer in net.card.taps
    seen = picture(dtype=torch.float32)
    assert alike(uncut(net, [part.targets[0].layer], seen), part(seen)) > 80


def test_the_normalisation_of_a_network_without_a_card_is_torchvisions() -> None:
    assert zoo._with_torchvision_facts(card("efficientnet_v2_l")).mean == (0.5, 0.5, 0.5)
    assert zoo._with_torchvision_facts(card("resnet18")).mean == Card.mean
    assert "SWAG" in zoo._with_torchvision_facts(card("regnet_y_128gf")).licence


# Downloads


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squeeze: dict[str, Tensor]) -> Iterator[Path]:
    """A place to download squeezenet1_1 from, which is a folder; the cache is empty."""
    file = saved(tmp_path, squeeze)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file = file.rename(tmp_path / f"squeezenet1_1-{digest[:8]}.pth")
    monkeypatch.setattr(zoo, "_entry", lambda _card: SimpleNamespace(url=file.as_uri()))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return file


def test_weights_are_downloaded_once_and_checked(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    net = zoo.load("squeezenet1_1")
    assert net.sha256.startswith(store.stem[-8:])
    assert net.licence == CARDS["squeezenet1_1"].licence
    out, err = capfd.readouterr()
    assert not out
    assert "100%" in err
    store.unlink()
    assert zoo.load("squeezenet1_1", progress=False).sha256 == net.sha256
    assert capfd.readouterr() == ("", "")


def test_a_download_that_is_not_what_its_name_says_leaves_nothing_behind(store: Path, tmp_path: Path) -> None:
    store.write_bytes(store.read_bytes()[:-9])
    with pytest.raises(ModelError, match="cannot download squeezenet1_1's weights"):
        zoo.load("squeezenet1_1", progress=False)
    assert list((tmp_path / "cache" / "checkpoints").iterdir()) == []


def test_a_damaged_file_in_the_cache_is_not_trusted(
    store: Path, squeeze: dict[str, Tensor], tmp_path: Path
) -> None:
    kept = tmp_path / "cache" / "checkpoints" / store.name
    kept.parent.mkdir(parents=True)
    squeeze["features.0.bias"] = torch.zeros(64)
    torch.save(squeeze, kept)
    with pytest.raises(ModelError, match="is damaged"):
        zoo.load("squeezenet1_1")


def test_without_a_network_it_says_what_file_to_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unplugged(*_arguments: object) -> None:
        raise URLError("no network here")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unplugged)
    with pytest.raises(ModelError, match=r"50 MB.*no network here") as refused:
        zoo.load("googlenet")
    assert "--weights googlenet-1378be20.pth" in str(refused.value)
    assert str(refused.value).count("\n") == 1


# The real thing


def test_real_weights_see_a_lion(shared_data: Path) -> None:
    net = zoo.load("squeezenet1_0", shared_data / "weights" / "squeezenet1_0_imagenet.safetensors")
    lion = torch.from_numpy(iio.imread(shared_data / "stills" / "lion.jpg")).permute(2, 0, 1)[None] / 255
    side = min(lion.shape[2:])
    lion = nn.functional.interpolate(lion[..., :side, :side], (224, 224), mode="bilinear", antialias=True)
    part = cut(net, parse_targets("fire9, conv10"))
    fire, classes = part(lion)
    assert classes.mean((2, 3)).argmax() == 291
    assert 0.02 < (fire > 0).float().mean() < 0.6
    assert decibels(uncut(net, ["features.12"], lion)[0], fire) > 80


STEMS = [(7, 2, 3), (6, 2, 2), (3, 2, 0), (11, 4, 2), (5, 3, 1), (2, 4, 0)]


@pytest.mark.parametrize(("side", "stride", "padding"), STEMS)
@pytest.mark.parametrize("size", [(37, 52), (40, 40), (36, 51)])
def test_a_stem_is_its_convolution_and_has_its_gradient(
    side: int, stride: int, padding: int, size: tuple[int, int]
) -> None:
    plain = nn.Conv2d(3, 8, side, stride, padding).double()
    x = torch.rand(2, 3, *size, dtype=torch.double, requires_grad=True)
    expected, seen = plain(x), Stem(plain)(x)
    slope = torch.rand_like(expected)
    assert torch.equal(seen, expected)
    torch.testing.assert_close(torch.autograd.grad(seen, x, slope), torch.autograd.grad(expected, x, slope))


@pytest.mark.parametrize(
    ("name", "layer", "stems"),
    [("squeezenet1_0", "features.3", 1), ("vgg16", "relu1_2", 0), ("builtin", "strokes", 1)],
)
def test_the_first_convolution_of_a_cut_is_a_stem_where_that_pays(name: str, layer: str, stems: int) -> None:
    body = cut(Network(card(name), zoo.build(name), "", ""), parse_targets(layer)).body
    assert sum(isinstance(part, Stem) for part in body.modules()) == stems


def test_pools_come_before_what_they_commute_with_unless_that_is_asked_for() -> None:
    net = Network(card("vgg16"), zoo.build("vgg16"), "", "")
    x = torch.rand(1, 3, 48, 64)
    for asked in ("relu2_1", "relu1_2, relu2_1"):
        made = cut(net, parse_targets(asked))
        calls = [node.target for node in made.body.graph.nodes]
        second = [at for at, call in enumerate(calls) if call is torch.nn.functional.relu][1]
        pooled_first = calls.index("features.4") < second
        assert pooled_first == (asked == "relu2_1")
        seen = (x - made.mean) / made.std
        for mine, name in zip(made(x), [t.layer for t in made.targets], strict=True):
            end = int(name.split(".")[1]) + 1
            torch.testing.assert_close(mine, net.module.features[:end](seen), rtol=1e-4, atol=1e-5)


def test_activations_work_in_place_on_what_is_made_for_them_alone() -> None:
    """One ReLU stands in three places of a residual block, twice above a convolution and once above a sum."""
    net = Network(card("resnet50"), zoo.build("resnet50"), "", "")
    made = cut(net, parse_targets("layer1"))
    relus = [node for node in made.body.graph.nodes if node.target is torch.nn.functional.relu]
    assert [node.kwargs["inplace"] for node in relus] == [True] * 10
    x = torch.rand(1, 3, 48, 64)
    seen = (x - made.mean) / made.std
    for name, part in net.module.named_children():
        seen = part(seen)
        if name == "layer1":
            break
    torch.testing.assert_close(made(x)[0], seen, rtol=1e-4, atol=1e-5)
