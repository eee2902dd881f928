"""The house stands: imports run downward, no stage knows another, and doors open without torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pipeline"
FLOORS = {
    6: {"__init__", "__main__", "cli"},
    5: {
        "render",
        "dreamer",
        "dreamt",
        "developed",
        "keyframes",
        "film",
        "several",
        "untouched",
        "writing",
        "extras",
        "piece",
        "fixing",
        "report",
        "dive",
        "atlas",
        "ui",
        "farm",
    },
    4: {
        "controls",
        "inversion",
        "arrivals",
        "hearing",
        "sources",
        "lanes",
        "motion",
        "workdir",
        "plan",
        "states",
        "looks",
        "recipes",
        "destination",
    },
    3: {"stages", "metrics"},
    2: {
        "net",
        "ops",
        "device",
        "scene",
        "media",
        "camera",
        "beats",
        "codecs",
        "light",
        "spaces",
        "tracks",
        "tags",
        "exr",
        "files",
        "locks",
    },
    1: {
        "clip",
        "size",
        "settings",
        "overrides",
        "schedule",
        "expression",
        "formula",
        "pulse",
        "errors",
    },
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names of this package that a module imports, the last part perhaps a name within a module.

    What only a type checker imports does not count: it is never run.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("pipeline.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    own = FLOOR_OF[room(path)]
    for name in imports(path):
        other = name.split(".")[1]
        if other == room(path) or other not in FLOOR_OF:
            continue
        assert FLOOR_OF[other] < own or (FLOOR_OF[other] == own and own != 3), (
            f"{path.name} imports up: {name}"
        )


def test_no_stage_imports_a_stage() -> None:
    for path in (PACKAGE / "stages").glob("*.py"):
        others = {name.split(".")[2] for name in imports(path) if name.startswith("pipeline.stages.")}
        assert others <= {path.stem}, f"{path.name} imports {others}"


def test_no_settings_below_floor_three() -> None:
    for path in MODULES:
        if FLOOR_OF[room(path)] == 2:
            assert not {name for name in imports(path) if name.startswith("pipeline.settings")}, path


def test_every_room_is_on_the_plan_and_fits_on_a_few_screens() -> None:
    for path in MODULES:
        assert room(path) in FLOOR_OF, f"{path}: which floor is it on?"
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{path} has become a drawer"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


DOORS = {
    "video": ["--help", "--explain clip.mp4", "--octavs 3", "--presets", "clip.mp4 --crf 99", ""],
    "zoom": ["--help", "noise --size big", "noise --zom 1", ""],
    "farm": ["--help", "run --help", "run jobs.yaml --workers two", ""],
    "atlas": ["--help", "photo.png --dream-size big", ""],
}


@pytest.mark.parametrize("door", DOORS)
def test_doors_answer_without_loading_what_takes_long(door: str) -> None:
    code = f"""
import sys
from pipeline.cli.{door} import main
for words in {DOORS[door]!r}:
    try:
        main(words.split())
    except SystemExit:
        pass
    slow = {{"torch", "numpy", "av", "yaml", "tqdm"}} & set(sys.modules)
    assert not slow, (words, slow)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("words", ["--help", "--tyro-print-completion bash"])
def test_a_reader_that_has_had_enough_is_no_error(words: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as nobody:
        command = [sys.executable, "-m", "pipeline", *words.split()]
        done = subprocess.run(command, stdout=nobody, stderr=subprocess.PIPE, timeout=120, check=False)
    assert done.stderr == b""


def test_the_module_ends_as_its_door_does() -> None:
    assert (
        run(
            "import runpy, sys; sys.argv = ['', 'gone.mp4']; runpy.run_module('pipeline', run_name='__main__')"
        ).returncode
        == 3
    )


def test_a_film_in_which_nothing_is_dreamed_is_made_without_torch(
    tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    clip, out = make_clip(frames=60), tmp_path / "out.mp4"  # two segments, so that a state stands between
    done = run(f"""
import sys
from pipeline.cli import video
code = video.main([{str(clip)!r}, "-o", {str(out)!r}, "--iterations", "0", "-q"])
sys.exit(code or "torch" in sys.modules)
""")
    assert done.returncode == 0, done.stderr[-500:]
    assert out.is_file()


def test_importing_the_package_loads_no_torch() -> None:
    assert run("import pipeline, sys; sys.exit('torch' in sys.modules)").returncode == 0


def test_public_names() -> None:
    import pipeline

    assert set(pipeline.__all__) == {
        "DeviceError", "DreamError", "Dreamer", "Dreamt", "InputError", "ModelError", "OutputError",
        "ScheduleError", "Settings", "TargetError", "UsageError", "dream", "dream_still",
    }  # fmt: skip
    for name in pipeline.__all__:
        assert getattr(pipeline, name) is not None
