"""What tests share: data that may be there, a network small enough for any machine, and small clips."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.clip import Clip, Frame, Picture, Segment, Size
from pipeline.net.cards import Card
from pipeline.net.tap import Network


@pytest.fixture(scope="session", autouse=True)
def _as_in_a_terminal() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and nohup to a closed terminal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real weights, clips and stills; tests that need them are skipped where they are not."""
    beside = Path(__file__).parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("DREAM_TEST_DATA", beside))
    if not (folder / "weights").is_dir():
        pytest.skip("needs the test data (DREAM_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def squeezenet(shared_data: Path) -> list[str]:
    """Flags for the real ImageNet SqueezeNet."""
    weights = shared_data / "weights" / "squeezenet1_0_imagenet.safetensors"
    return ["--model", "squeezenet1_0", "--weights", str(weights), "--layers", "features.9"]


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a squeezenet1_1 that has learned nothing, for whatever only needs a network that runs."""
    from pipeline.net import zoo

    path = tmp_path_factory.mktemp("weights") / "squeezenet1_1.pth"
    torch.manual_seed(0)
    torch.save(zoo.build("squeezenet1_1").state_dict(), path)
    return path


def tiny_network() -> Network:
    """Three convolutions with random weights; its layers are 'soft', 'mid' and 'deep'."""
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("soft", nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU()))
    module.add_module("mid", nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU()))
    module.add_module("deep", nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU()))
    card = Card("tiny", "deep", parameters=0, megabytes=0, least=16, taps=("soft", "mid", "deep"))
    return Network(card, module.eval().requires_grad_(False), "0" * 64, "made for tests")


def texture(height: int, width: int, seed: int = 0) -> Picture:
    """A smooth random picture with detail at several sizes, uint8 [H, W, 3]."""
    import cv2

    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((4, 90), (12, 60), (40, 40)):
        coarse = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
        picture += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 120, 8, 247).astype(np.uint8)


def frames_of(pictures: list[Picture], rate: int = 24) -> list[Frame]:
    return [Frame(i, i, Fraction(i, rate), picture) for i, picture in enumerate(pictures)]


@pytest.fixture
def flags(random_weights: Path) -> list[str]:
    """A network that has learned nothing and a dream as short as can be."""
    network = ["--model", "squeezenet1_1", "--weights", str(random_weights), "--layers", "features.5"]
    return [
        *network,
        "--octaves",
        "1",
        "--iterations",
        "1",
        "--threads",
        "1",
        "--encoder-preset",
        "ultrafast",
    ]


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a clip: a texture that pans by 2 pixels a frame, with a tone when asked for."""

    def make(
        name: str = "clip.mp4", frames: int = 12, size: tuple[int, int] = (96, 128), *, sound: bool = False
    ) -> Path:
        path, (height, width) = tmp_path / name, size
        wide = texture(height, width + 2 * frames)
        with av.open(str(path), "w") as file:
            video = file.add_stream("libx264", rate=24)
            video.width, video.height, video.pix_fmt = width, height, "yuv444p" if height % 2 else "yuv420p"
            video.options = {"crf": "12", "preset": "ultrafast"}
            audio = file.add_stream("aac", rate=48000, layout="mono") if sound else None
            for index in range(frames):
                picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + width])
                file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(video.encode(None))
            if audio is not None:
                samples = 0.2 * np.sin(np.arange(48000 * frames // 24) / 20)[None].astype(np.float32)
                tone = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 48000, 0
                file.mux(audio.encode(tone))
                file.mux(audio.encode(None))
        return path

    return make


class ShotsSource:
    """Pictures in memory as a source: a shot of each length, each of one picture that drifts."""

    damaged = 0

    def __init__(self, shots: list[int]) -> None:
        self.pictures: list[Picture] = []
        for seed, length in enumerate(shots):
            wide = texture(24, 64, seed)
            self.pictures += [np.ascontiguousarray(wide[:, k : k + 24]) for k in range(length)]
        self.clip = Clip("memory", Size(24, 24), Fraction(1, 24), Fraction(24), len(self.pictures))

    def frames(self, last: Segment | None = None) -> Iterator[Frame]:
        for index in range(0 if last is None else last.end - 1, len(self.pictures)):
            yield Frame(index, index, Fraction(index, 24), self.pictures[index])

    def counted(self) -> range:
        return range(len(self.pictures))


class KilledError(Exception):
    pass


def killed_after(ticks: int) -> Callable[..., None]:
    """What raises KilledError when it is called once more than so often, from whichever thread."""
    turn, left = threading.Lock(), iter(range(ticks))

    def tick(*_: object) -> None:
        with turn:
            if next(left, None) is None:
                raise KilledError

    return tick
