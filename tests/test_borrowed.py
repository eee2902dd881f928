"""Networks that are not torchvision's: those of 2015 with anybody's weights, timm's, and the user's own code."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from conftest import texture
from pipeline import looks
from pipeline.cli.video import main
from pipeline.errors import ModelError, UsageError
from pipeline.net import inception_v1, zoo
from pipeline.net.cards import CARDS, card
from pipeline.net.tap import cut
from pipeline.net.targets import parse_targets, resolve
from pipeline.stages import stills

BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
CAFFE = {"branch1": "1x1", "branch2.0": "3x3_reduce", "branch2.1": "3x3", "branch3.0": "5x5_reduce",
         "branch3.1": "5x5", "branch4.1": "pool_proj"}  # fmt: skip
TENSORFLOW = {"branch1": "1x1", "branch2.0": "3x3_bottleneck", "branch2.1": "3x3",
              "branch3.0": "5x5_bottleneck", "branch3.1": "5x5", "branch4.1": "pool_reduce"}  # fmt: skip
TRUNK = {
    "conv1": ("conv1/7x7_s2", "conv2d0"),
    "conv2": ("conv2/3x3_reduce", "conv2d1"),
    "conv3": ("conv2/3x3", "conv2d2"),
    "fc": ("loss3/classifier", "softmax2"),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def taught(name: str) -> dict[str, Tensor]:
    """Random weights of one of them by the names used here, red first, that keep activations near 1."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for path, part in inception_v1.build(name).state_dict().items():
        scale = math.sqrt(2 / part[0].numel()) if part.ndim > 1 else 0.1
        state[path] = torch.randn(part.shape, generator=random) * (
            scale / 60 if path == "conv1.conv.weight" else scale
        )
    return state


def original(path: str, way: int) -> str:
    """The layer of a parameter as Caffe (0) or TensorFlow (1) call it."""
    layer = path.removesuffix(".weight").removesuffix(".bias").removesuffix(".conv")
    if layer in TRUNK:
        return TRUNK[layer][way]
    block, _, branch = layer.removeprefix("inception").partition(".")
    return f"mixed{block}_{TENSORFLOW[branch]}" if way else f"inception_{block}/{CAFFE[branch]}"


def kind(path: str, words: tuple[str, str]) -> str:
    return words[path.endswith("bias")]


def blue_first(path: str, part: Tensor) -> Tensor:
    return part.flip(1) if path == "conv1.conv.weight" else part


def back(part: Tensor) -> Tensor:
    """As TensorFlow has it: [h, w, in, out]."""
    return (
        part.permute(2, 3, 1, 0).contiguous()
        if part.ndim == 4
        else part.T.contiguous()
        if part.ndim == 2
        else part
    )


# How tools write these weights down: what a parameter is called, and its values as they have them.
WAYS: dict[str, tuple[str, Callable[[str], str], Callable[[str, Tensor], Tensor]]] = {
    "caffe": ("bvlc_googlenet", lambda p: f"{original(p, 0)}.{kind(p, ('weight', 'bias'))}", blue_first),
    "blobs": ("bvlc_googlenet", lambda p: f"{original(p, 0)}.{kind(p, ('0', '1'))}", blue_first),
    "python": (
        "googlenet_places365",
        lambda p: f"{original(p, 0).replace('/', '_')}.{kind(p, ('weight', 'bias'))}",
        blue_first,
    ),
    "onnx": ("bvlc_googlenet", lambda p: f"{original(p, 0)}_{kind(p, ('w', 'b'))}_0", blue_first),
    "graph": ("inception5h", lambda p: f"import/{original(p, 1)}_{kind(p, ('w', 'b'))}", lambda _p, part: back(part)),
    "torch": (
        "inception5h",
        lambda p: f"{original(p, 1)}_pre_{'activation_matmul' if p.startswith('fc') else 'relu_conv'}"
        f".{kind(p, ('weight', 'bias'))}",
        lambda _p, part: part,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_weights_of_2015_are_read_however_they_were_written_down(way: str, tmp_path: Path) -> None:
    name, called, held = WAYS[way]
    own = taught(name)
    state = {called(path): held(path, part).clone() for path, part in own.items()}
    state |= {
        "loss1/classifier.weight": torch.zeros(3),
        "head0_bottleneck_w": torch.zeros(2),
        "nn1_b": torch.zeros(1),
    }
    file = tmp_path / "weights.pth"
    torch.save(state, file)
    network = zoo.load(name, file)
    for path, part in network.module.state_dict().items():
        assert torch.equal(part, own[path]), path
    assert network.licence.startswith("weights.pth")


def test_caffes_network_is_computed_as_its_description_has_it(tmp_path: Path) -> None:
    """Written out for the first block, in its own units: blue first, 0 to 255, less its mean."""
    own = taught("bvlc_googlenet")
    file = tmp_path / "w.safetensors"
    save_file({WAYS["caffe"][1](p): blue_first(p, part).contiguous() for p, part in own.items()}, file)
    picture = torch.rand(1, 3, 75, 98, generator=torch.Generator().manual_seed(1))
    layers = "pool1/norm1, inception_3a/5x5, inception_3a/output, pool3/3x3_s2"
    found = cut(zoo.load("bvlc_googlenet", file), parse_targets(layers))(picture)

    def conv(x: Tensor, path: str, stride: int = 1) -> Tensor:
        weight = blue_first(f"{path}.conv.weight", own[f"{path}.conv.weight"])
        return F.conv2d(x, weight, own[f"{path}.conv.bias"], stride, weight.shape[2] // 2).relu()

    def normal(x: Tensor) -> Tensor:
        squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
        around = sum(squares[:, at : at + x.shape[1]] for at in range(5))
        return x / (1 + 1e-4 / 5 * around) ** 0.75

    def largest(x: Tensor) -> Tensor:
        """As many as begin inside: what reaches out of the picture is left out."""
        rows, columns = (-(-(side - 3) // 2) + 1 for side in x.shape[2:])
        return F.max_pool2d(F.pad(x, (0, 2, 0, 2), value=-1e9), 3, 2)[:, :, :rows, :columns]

    x = picture.flip(1) * 255 - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
    first = normal(largest(conv(x, "conv1", 2)))
    x = largest(normal(conv(conv(first, "conv2"), "conv3")))
    five = conv(conv(x, "inception3a.branch3.0"), "inception3a.branch3.1")
    assert own["inception3a.branch3.1.conv.weight"].shape[2:] == (5, 5)
    block = torch.cat([
        conv(x, "inception3a.branch1"),
        conv(conv(x, "inception3a.branch2.0"), "inception3a.branch2.1"),
        five,
        conv(F.max_pool2d(x, 3, 1, 1), "inception3a.branch4.1"),
    ], 1)  # fmt: skip
    for expected, seen in zip((first, five, block), found, strict=False):
        assert torch.allclose(seen, expected, rtol=1e-4, atol=1e-4)
    assert (block.shape[2:], found[3].shape[2:]) == ((9, 12), (4, 6))


def test_tensorflows_network_is_padded_and_normalised_as_its_graph_has_it(tmp_path: Path) -> None:
    own = taught("inception5h")
    file = tmp_path / "w.pth"
    torch.save({WAYS["graph"][1](p): back(part) for p, part in own.items()}, file)
    network = zoo.load("inception5h", file)
    part = cut(network, parse_targets("conv2d0, localresponsenorm0, mixed4a"))
    for height, width in ((64, 96), (75, 97)):
        picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
        x = 255 * picture - 117
        # SAME: as many as fit begun at each second pixel, what is missing split, the odd one after.
        total = [max((-(-side // 2) - 1) * 2 + 7 - side, 0) for side in (width, height)]
        pads = [edge for t in total for edge in (t // 2, t - t // 2)]
        first = F.conv2d(F.pad(x, pads), own["conv1.conv.weight"], own["conv1.conv.bias"], 2).relu()
        total = [max((-(-side // 2) - 1) * 2 + 3 - side, 0) for side in (first.shape[3], first.shape[2])]
        pads = [edge for t in total for edge in (t // 2, t - t // 2)]
        pooled = F.max_pool2d(F.pad(first, pads, value=-1e9), 3, 2)
        squares = F.pad(pooled.square(), (0, 0, 0, 0, 5, 5))
        around = sum(squares[:, at : at + 64] for at in range(11))
        found = part(picture)
        assert torch.allclose(found[0], first, rtol=1e-4, atol=1e-4)
        assert torch.allclose(found[1], pooled / (2 + 1e-4 * around) ** 0.5, rtol=1e-4, atol=1e-4)
        assert found[2].shape[1] == 508
        assert found[2].shape[2:] == (-(-height // 16), -(-width // 16))


@pytest.mark.parametrize("name", inception_v1.KINDS)
def test_the_networks_of_2015_answer_to_both_names(name: str) -> None:
    for block in BLOCKS:
        for layer in (f"inception_{block}/output", f"mixed{block}"):
            assert resolve(parse_targets(layer)[0], CARDS[name]).layer == f"inception{block}"
    assert resolve(parse_targets("maxpool0")[0], CARDS[name]).layer == "pool1"
    assert resolve(parse_targets("pool2/3x3_s2")[0], CARDS[name]).layer == "pool2"
    assert resolve(parse_targets("mixed4a_3x3_bottleneck")[0], CARDS[name]).layer == "inception4a.branch2.0"


def test_what_does_not_fit_2015_is_said_and_whose_it_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"bvlc_googlenet comes without weights.*--weights FILE"):
        zoo.load("bvlc_googlenet")
    file = tmp_path / "w.pth"
    torch.save({WAYS["torch"][1](path): part for path, part in taught("inception5h").items()}, file)
    with pytest.raises(ModelError, match=r"does not fit bvlc_googlenet.*the weights of inception5h"):
        zoo.load("bvlc_googlenet", file)


def test_weights_without_a_classifier_dream_too(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    own = taught("bvlc_googlenet")
    save_file({WAYS["caffe"][1](p): part for p, part in own.items() if not p.startswith("fc")}, file)
    assert zoo.load("bvlc_googlenet", file).card.taps[-1] == "inception5b"


# timm


def test_timms_networks_dream_at_the_layers_of_its_feature_extraction(tmp_path: Path) -> None:
    """One whose convolutions pad by themselves, and whose batch norms hold their activation."""
    name = "tf_mobilenetv3_small_minimal_100.in1k"
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    module = timm.create_model(name, pretrained=False, num_classes=7).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
    file = tmp_path / "model.safetensors"
    save_file(module.state_dict(), file)
    network = zoo.load(f"timm:{name}", file)
    assert list(network.card.taps) == [stage["module"] for stage in module.feature_info]
    picture = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(1))
    seen: dict[str, Tensor] = {}
    deepest = network.card.taps[-1]
    module.get_submodule(deepest).register_forward_hook(lambda _m, _i, out: seen.update(it=out.clone()))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (network.card.mean, network.card.std))
    with torch.no_grad():
        module((picture - mean) / std)
    (found,) = cut(network, parse_targets(deepest))(picture)
    assert torch.allclose(found, seen["it"], rtol=1e-3, atol=1e-4 * float(seen["it"].abs().max()))


def test_what_timm_has_not_is_said_with_close_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    with pytest.raises(UsageError, match=r"no network 'resnet18.none'. Did you mean resnet18"):
        zoo.load("timm:resnet18.none")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'timm>=1.0'")):
        zoo.load("timm:resnet18")


# The user's own code


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the current folder that leaves a mark when it is run."""
    monkeypatch.chdir(tmp_path)
    stills.write(Path("photo.png"), texture(40, 48))
    Path("own_net.py").write_text(
        "from pathlib import Path\nfrom torch import nn\nPath('it-ran').touch()\n"
        "def build():\n    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU())\n    net.mean = (.1, .2, .3)\n"
        "    return net\n"
        "def wrong():\n    return 3\n"
        "def dies():\n    raise ValueError('no net')\n"
    )
    yield "own_net"
    sys.modules.pop("own_net", None)


def test_a_function_of_ones_own_gives_the_network_and_that_it_is_run_is_said(
    own_code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["photo.png", "--model", f"{own_code}:build", "--iterations", "1", "--threads", "1"]
    assert main(words) == 0
    assert "runs code of yours" in capsys.readouterr().err
    assert Path("it-ran").exists()
    assert zoo.load(f"{own_code}:build").card.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("way", ["like", "config", "environment"])
def test_nobody_else_can_have_code_run(
    own_code: str, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = f'[dream]\nmodel = "{own_code}:build"\n'
    words = ["photo.png", "-o", "out.png"]
    if way == "like":
        stills.write(Path("stranger.png"), texture(16, 16), recipe)
        words += ["--like", "stranger.png"]
    elif way == "config":
        Path("stranger.toml").write_text(recipe)
        words += ["-c", "stranger.toml"]
    else:
        monkeypatch.setenv("DREAM_MODEL", f"{own_code}:build")
    assert main(words) == 2
    assert "Only you can" in capsys.readouterr().err
    assert not Path("it-ran").exists()


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("own_net:wrong", ModelError, "gives int, expected a torch.nn.Module"),
        ("own_net:dies", ModelError, "ValueError: no net"),
        ("own_net:biuld", UsageError, "Did you mean build"),
        ("no_net_at_all:build", UsageError, "No module named 'no_net_at_all'"),
    ],
)
def test_what_is_wrong_with_ones_own_is_said_in_a_line(
    own_code: str, name: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)) as refused:
        zoo.load(name)
    assert "\n" not in str(refused.value)


def test_python_callers_may_name_their_own_code(own_code: str) -> None:
    assert looks.of(model=f"{own_code}:build").dream.model == f"{own_code}:build"
    assert card(f"{own_code}:build").builder == "code"
