"""With the music: beats heard in real sound move schedules, layers and dives, and a song goes under a film."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import texture
from filming import SMALL, ffmpeg, shown, stamps, through
from pipeline import beats, hearing, looks, overrides, recipes
from pipeline.cli import video, zoom
from pipeline.clip import Clip, Size
from pipeline.errors import InputError, ScheduleError
from pipeline.expression import Parser
from pipeline.farm import jobs
from pipeline.net.programme import Programme
from pipeline.pulse import HALF, HOLD, Found, Pulse, Steady
from pipeline.schedule import Schedule
from pipeline.settings import Input
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import open_source
from pipeline.sources.zoom import ZoomSource

RATE = 44_100
STEADY = tuple(k / 2 for k in range(1, 11))  # 120 a minute
UNEVEN = (0.31, 0.9, 1.22, 2.07, 2.33, 3.1, 3.58, 4.77)


def clicks(
    times: tuple[float, ...], seconds: float, bed: str = "", kind: str = "noise"
) -> NDArray[np.float32]:
    """Short sounds at these times, over nothing, a tone that sways, noise, or both: [n], -1..1."""
    rng = np.random.default_rng(1)
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(t))
    fading = np.arange(RATE // 5) / RATE
    drum = np.sin(2 * np.pi * (50 * fading + 6 * (1 - np.exp(-30 * fading)))) * np.exp(-18 * fading)
    hat = rng.normal(0, 0.4, len(fading)) * np.exp(-60 * fading)
    for time in times:
        at = round(time * RATE)
        part = (drum if kind == "drum" else hat)[: len(sound) - at]
        sound[at : at + len(part)] += 0.6 * part
    if "tone" in bed:
        sound += 0.15 * np.sin(2 * np.pi * 220 * t + 3 * np.sin(2 * np.pi * 5 * t))
    if "hiss" in bed:
        sound += rng.normal(0, 0.05, len(t))
    if "roar" in bed:
        sound += rng.normal(0, 0.15, len(t))
    return np.clip(sound, -1, 1).astype(np.float32)


def record(path: Path, sound: NDArray[np.float32], codec: str = "pcm_s16le", delay: float = 0) -> Path:
    """Write a song; delay: its first moment's time in the file, seconds."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            (sound[None] * 32767).astype(np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        fifo = av.AudioFifo()
        fifo.write(frame)
        while part := fifo.read(1024, partial=True):
            part.pts = (part.pts or 0) + round(delay * RATE)
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def filmed(path: Path, song: Path | None, frames: int = 48, *more: str) -> Path:
    """A clip of 24 frames a second with a song in it."""
    wide = texture(48, 64 + frames)
    pictures = np.stack([wide[:, k : k + 64] for k in range(frames)])
    picture = path.with_suffix(".raw")
    picture.write_bytes(pictures.tobytes())
    head = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-framerate", "24", "-i", str(picture)]
    sound = ["-i", str(song), "-c:a", "aac", "-b:a", "128k"] if song else []
    ffmpeg(
        *head,
        *sound,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "4",
        "-pix_fmt",
        "yuv420p",
        *more,
        path,
    )
    return path


def heard_at(times: tuple[float, ...], found: tuple[float, ...], within: float, late: float = 0.005) -> bool:
    """Each click, nothing else but the beginning of the sound, each in its time."""
    later = [time for time in found if time > 0.1]
    return len(later) == len(times) and all(-within <= error <= late for error in np.subtract(later, times))


@pytest.mark.parametrize(
    ("times", "kind", "bed"),
    [
        (STEADY, "noise", ""),
        (UNEVEN, "noise", "tone hiss"),
        (STEADY, "drum", "tone hiss"),
        (UNEVEN, "drum", "tone"),
    ],
)
def test_every_click_is_heard_within_a_frame_and_nothing_else(
    times: tuple[float, ...], kind: str, bed: str, tmp_path: Path
) -> None:
    song = record(tmp_path / "song.wav", clicks(times, 5.5, bed, kind))
    assert heard_at(times, beats.listen(song).onsets, 0.02)


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mp3", "mp3"), ("a.flac", "flac")])
def test_whatever_holds_the_sound(name: str, codec: str, tmp_path: Path) -> None:
    song = record(tmp_path / name, clicks(UNEVEN, 5.5, "tone"), codec)
    assert heard_at(UNEVEN, beats.listen(song).onsets, 1 / 24, 1 / 24)  # encoders have delays of their own


@pytest.mark.parametrize("bed", ["tone", "roar"])
def test_what_goes_on_evenly_has_no_beats(bed: str, tmp_path: Path) -> None:
    assert heard_at((), beats.listen(record(tmp_path / "bed.wav", clicks((), 4, bed))).onsets, 0)


def test_a_voice_that_slides_to_the_next_band_does_not_rise() -> None:
    slides = np.zeros((12, beats.BANDS), np.float32)
    for look in range(12):
        slides[look, 5 + look // beats.BACK] = 4
    assert beats._rises(slides).max() == 0
    slides[6:, 30] = 4
    assert beats._rises(slides).max() == pytest.approx(4 / beats.BANDS)


def test_a_sound_that_begins_late_is_heard_at_its_own_time(tmp_path: Path) -> None:
    late = record(tmp_path / "late.mkv", clicks(UNEVEN, 5.5), delay=0.75)
    assert heard_at(tuple(time + 0.75 for time in UNEVEN), beats.listen(late).onsets, 0.02)


def test_level_is_how_loud_it_is(tmp_path: Path) -> None:
    t = np.arange(3 * RATE) / RATE
    loud = np.select([t < 1, t < 2], [0.4, 0.1], 0.0) * np.sin(2 * np.pi * 330 * t)
    listened = beats.listen(record(tmp_path / "loud.wav", loud.astype(np.float32)))
    pulse = Pulse(levels=listened.levels, rate=listened.rate)
    assert [round(pulse.level(at), 1) for at in (0.5, 1.5, 2.5, 9)] == [1, 0.2, 0, 0]


def test_silence_a_second_of_it_and_nothing_at_all(tmp_path: Path) -> None:
    listened = beats.listen(record(tmp_path / "none.wav", np.zeros(RATE, np.float32)))
    assert listened.onsets == ()
    assert max(listened.levels) == 0
    assert beats.listen(record(tmp_path / "blip.wav", clicks((), 0.01, "hiss"))).seconds < 0.02


def test_a_long_song_goes_by_in_pieces() -> None:
    parts = (np.full(1000, k, np.float32) for k in range(400))
    looked_at = list(beats._blocks(parts))
    assert max(map(len, looked_at)) < 2 * beats.BLOCK
    looks = [1 + (len(block) - beats.WINDOW) // beats.HOP for block in looked_at]
    whole = np.concatenate([np.zeros(256), np.repeat(np.arange(400), 1000), np.zeros(512)])
    assert sum(looks) == 1 + (len(whole) - beats.WINDOW) // beats.HOP
    assert np.array_equal(looked_at[1][:100], whole[looks[0] * beats.HOP :][:100])


# What schedules make of it


def test_a_beat_is_full_for_a_moment_and_then_halves() -> None:
    pulse = Pulse(Found((1.0, 2.0)))
    assert [pulse.beat(at) for at in (0.99, 1.0, 1 + HOLD)] == [0, 1, 1]
    assert pulse.beat(1 + HOLD + HALF) == pytest.approx(0.5)
    assert pulse.beat(1 + HOLD + 3 * HALF) == pytest.approx(0.125)
    assert pulse.beat(2.0) == 1
    assert [pulse.count(at) for at in (0.5, 1.5, 2.5)] == [0, 1, 2]


@pytest.mark.parametrize("rate", [Fraction(20), Fraction(24000, 1001), Fraction(30), Fraction(60)])
def test_some_frame_shows_every_beat_in_full(rate: Fraction) -> None:
    times, knob = tuple(0.37 * k for k in range(1, 20)), Schedule.parse("beat(t)")
    knob = knob.hearing(Pulse(Found(times)))
    shown = [knob.at(n, float(n / rate), rate=float(rate)) for n in range(int(7.2 * rate))]
    begun = [n for n in range(1, len(shown)) if shown[n] == 1 and shown[n - 1] < 1]
    assert len(begun) == len(times)
    assert all(0 <= n / rate - time <= 1 / rate + 1e-6 for n, time in zip(begun, times, strict=True))


def test_a_steady_tempo_needs_no_sound() -> None:
    knob = Schedule.parse("0:(0.5+0.5*beat(t))").hearing(Pulse(Steady(120, 0.2)))
    values = [knob.at(n, n / 20) for n in range(40)]
    assert [n for n in range(1, 40) if values[n] == 1 > values[n - 1]] == [4, 14, 24, 34]
    assert values[0] == 0.5


def test_moments_are_frames_or_seconds_and_other_frames_too() -> None:
    pulse = Pulse(Found((1.0,)), (0.0, 1.0, 0.0), 1.0)
    for text in ("beat(t)", "beat(s)", "beat(t+12-12)"):
        assert Schedule.parse(text).hearing(pulse).at(24, 1.0, rate=24) == 1
    assert Schedule.parse("beat(t-12)").hearing(pulse).at(36, 1.5, rate=24) == 1
    assert Schedule.parse("level(s-0.5)").hearing(pulse).at(24, 1.0) == 0.5
    with pytest.raises(ScheduleError, match="frame rate"):
        Schedule.parse("beat(t-1)").hearing(pulse).at(24, 1.0)
    for text, wrong in (
        ("beat(t+s)", "not both"),
        ("beat", "is a function"),
        ("beat()", "Expected"),
        ("beta(t)", "beat"),
    ):
        with pytest.raises(ScheduleError, match=wrong):
            Schedule.parse(text)


def test_what_hears_nothing_says_what_to_give() -> None:
    with pytest.raises(ScheduleError, match=r"--beats audio, --beats SONG, or --bpm 120"):
        Schedule.parse("0:(1), 5:(beat(t))").at(3, 0.1)
    with pytest.raises(ScheduleError, match=r"level\(t\) has nothing to hear"):
        Schedule.parse("level(t)").hearing(Pulse(Steady(120))).at(3, 0.1)


def test_random_texts_with_beats_are_schedules_or_named_errors() -> None:
    parts, rng = (
        ("beat(", "level(", "t", "s", ")", "+", "1", "max(", ",", ":", "(", "0", "where("),
        random.Random(0),
    )
    pulse = Pulse(Steady(100), (0.5, 1.0), 10)
    for _ in range(3000):
        text = "".join(rng.choices(parts, k=rng.randrange(1, 9)))
        try:
            value = Schedule.parse(text).hearing(pulse).at(3, 0.125, rate=24)
        except ScheduleError:
            continue
        assert np.isfinite(value)
    assert Parser("beat(t)+s").expression().depth


def test_layers_change_with_the_beat() -> None:
    programme = Programme.parse("cycle beat(mixed3b; mixed4a; mixed4c)")
    hearing_it = replace(programme, pulse=Pulse(Found((0.5, 1.0, 1.5))))
    assert [hearing_it.at(0, s).index(1.0) for s in (0, 0.49, 0.5, 1.2, 1.6)] == [0, 0, 1, 2, 0]
    with pytest.raises(ScheduleError, match="--beats audio"):
        programme.at(0, 0)
    with pytest.raises(ScheduleError, match="cycle"):
        Programme.parse("cycle beats(mixed3b; mixed4a)")


# In films


def test_a_pulse_of_two_arrives_in_the_picture(tmp_path: Path) -> None:
    times = (0.25, 1.0)
    clip = filmed(tmp_path / "clip.mp4", record(tmp_path / "song.wav", clicks(times, 1.25, "tone")), 28)
    words = [
        str(clip),
        "--strength",
        "0:(1+beat(t))",
        "--beats",
        "audio",
        "--iterations",
        "4",
        "--octaves",
        "1",
    ]
    words += [
        "--threads",
        "1",
        "--codec",
        "ffv1",
        "--pixel-format",
        "yuv444p",
        "-o",
        str(tmp_path / "out.mkv"),
    ]
    assert video.main(words) == 0
    added = shown(tmp_path / "out.mkv").astype(float) - shown(clip)
    amplitude = np.sqrt((added**2).mean((1, 2, 3)))
    for time in times:
        first = round(time * 24)
        beat = int(np.argmax(amplitude[first - 3 : first + 3])) + first - 3
        assert 0 <= beat - first <= 1
    assert amplitude[beat] >= 1.8 * amplitude[beat - 2]


def test_a_clips_own_sound_keeps_its_time_whatever_is_left_out(tmp_path: Path) -> None:
    song = record(tmp_path / "song.wav", clicks((0.5, 1.25), 2, "tone"))
    clip = filmed(tmp_path / "clip.mp4", song)
    knobs = looks.of(strength="beat(t)", beats="audio", start="0.75s", every=2)
    knob = hearing.heard(knobs, open_source(str(clip), knobs.input)).dream.strength
    assert knob.at(0, 0.0) < 0.5
    assert knob.at(6, 0.54) == 1
    begins_with_the_film = looks.of(strength="beat(t)", beats=str(song), start="0.75s")
    knob = hearing.heard(begins_with_the_film, open_source(str(clip), knobs.input)).dream.strength
    assert knob.at(12, 0.54) == 1
    later = looks.of(strength="beat(t)", beats=str(song), offset="0.1s")
    knob = hearing.heard(later, None).dream.strength
    assert (knob.at(0, 0.54) < 1, knob.at(0, 0.64)) == (True, 1)


def test_the_film_of_one_song_is_not_gone_on_with_to_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = filmed(tmp_path / "clip.mp4", None, 3)
    song = record(tmp_path / "song.wav", clicks((0.5,), 1))
    words = [
        str(clip),
        "--octaves",
        "1",
        "--iterations",
        "1",
        "--keep",
        "--beats",
        str(song),
        "--strength",
        "beat(t)",
    ]
    words += ["-o", str(tmp_path / "out.mp4"), "-y", "--threads", "1"]
    assert video.main(words) == 0
    assert "song.wav: 1 beat." in capsys.readouterr().err
    record(song, clicks((0.25,), 1))
    assert video.main(words) == 2
    assert "beats sha256" in capsys.readouterr().err


BAD = {
    "nothing to hear": (["--strength", "1+beat(t)"], 2, "--bpm 120"),
    "no loudness": (["--strength", "level(t)", "--bpm", "120"], 2, "--beats audio"),
    "no sound": (["--strength", "1+beat(t)", "--beats", "audio"], 3, "clip.mp4 has no sound"),
    "layers": (["--layers", "cycle beat(mixed3b; mixed4a)"], 2, "--bpm 120"),
    "no such song": (["--beats", "gone.mp3", "--strength", "beat(t)"], 3, "--beats gone.mp3: no such file"),
    "a picture": (["--beats", "still.png", "--strength", "beat(t)"], 3, "cannot be read as sound"),
    "broken": (["--beats", "broken.mp3", "--strength", "beat(t)"], 3, "broken.mp3"),
    "only a head": (["--beats", "head.wav", "--strength", "beat(t)"], 3, "head.wav"),
    "no such audio": (["--audio", "nonee"], 3, "--audio nonee: no such file"),
    "silent audio": (["--audio", "clip.mp4"], 3, "holds no sound"),
    "over the song": (["--audio", "song.mp4", "-o", "song.mp4", "-y"], 4, "song.mp4"),
    "no tempo": (["--bpm", "-3"], 2, "0 to 1000"),
    "no time": (["--offset", "soon"], 2, "such as 0.2s"),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent clip, and songs that are none."""
    import cv2

    folder = tmp_path_factory.mktemp("shelf")
    filmed(folder / "clip.mp4", None, 3)
    cv2.imwrite(str(folder / "still.png"), texture(16, 16))
    (folder / "broken.mp3").write_bytes(random.Random(0).randbytes(5000))
    record(folder / "head.wav", clicks((), 1, "hiss"))
    (folder / "head.wav").write_bytes((folder / "head.wav").read_bytes()[:44])
    record(folder / "song.mp4", clicks((0.5,), 1), "aac")
    return folder


@pytest.mark.parametrize("name", BAD)
def test_bad_sound_is_a_line_or_two_and_leaves_nothing(
    name: str, shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, code, said = BAD[name]
    monkeypatch.chdir(shelf)
    before = {path.name: path.stat().st_size for path in shelf.iterdir()}
    assert video.main(["clip.mp4", "--octaves", "1", "--iterations", "1", *words]) == code
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) <= 3 + ("^" in told)
    assert {path.name: path.stat().st_size for path in shelf.iterdir()} == before


def test_a_song_that_breaks_off_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = record(tmp_path / "song.mp3", clicks(UNEVEN, 5.5, "tone"), "mp3").read_bytes()
    torn = bytearray(whole[: len(whole) // 2])
    torn[len(torn) // 2 : len(torn) // 2 + 700] = bytes(700)
    (tmp_path / "torn.mp3").write_bytes(torn)
    knobs = looks.of(strength="beat(t)", beats=str(tmp_path / "torn.mp3"))
    film = Clip("film", Size(8, 8), Fraction(1, 24), Fraction(24), 240)
    pulse = hearing.heard(knobs, None, film).pulse
    assert pulse is not None
    assert pulse.count(2.7) >= 4
    assert any("torn.mp3 ends at 2." in line and "the film at 10.0 s" in line for line in pulse.told)


# --audio


def test_a_song_takes_the_place_of_the_sound_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    own = record(tmp_path / "own.wav", clicks((), 2, "hiss"))
    plain = filmed(tmp_path / "plain.mp4", own)
    clip = tmp_path / "clip.mp4"
    ffmpeg(
        "-i",
        plain,
        "-i",
        tmp_path / "words.srt",
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-c:s",
        "mov_text",
        clip,
    )
    song = record(tmp_path / "song.m4a", clicks(STEADY, 5), "aac")
    made = through(clip, tmp_path / "out.mp4", audio=str(song))
    assert "song.m4a is 5.0 s long, the film 2.0 s: it ends with the film." in [*map(_near, made.notes)]
    mine, its = stamps(tmp_path / "out.mp4", "a"), stamps(song, "a")
    assert [line[-1] for line in mine][:-1] == [line[-1] for line in its][: len(mine) - 1]
    assert stamps(tmp_path / "out.mp4", "s")[0] == stamps(clip, "s")[0]
    through(clip, tmp_path / "none.mp4", audio="none")
    with av.open(str(tmp_path / "none.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "subtitle"]


def _near(note: str) -> str:
    return note.replace("5.02", "5.0")


def test_a_song_that_is_too_short_and_what_does_not_fit_are_said(tmp_path: Path) -> None:
    clip = filmed(tmp_path / "clip.mp4", None)
    song = record(tmp_path / "song.wav", clicks((0.5,), 1.5, "tone"))
    made = through(clip, tmp_path / "out.mp4", audio=str(song))
    assert made.notes[0] == "song.wav ends at 1.5 s, the film at 2.0 s: the rest is silent."
    assert "re-encoded as aac" in made.notes[1]
    assert heard_at((0.5,), beats.listen(tmp_path / "out.mp4").onsets, 1 / 24, 1 / 24)
    made = through(clip, tmp_path / "frame.%03d.png", audio=str(song))
    assert f"--audio {song}: pictures hold no sound." in made.notes


def test_beats_are_of_the_song_that_is_put_under_it(tmp_path: Path) -> None:
    clip = filmed(tmp_path / "clip.mp4", None, 3)
    song = record(tmp_path / "song.wav", clicks((0.5,), 1))
    knobs = looks.of(strength="beat(t)", beats="audio", audio=str(song))
    assert hearing.heard(knobs, open_source(str(clip), Input())).dream.strength.at(12, 0.52) == 1
    assert hearing.facts(knobs) == hearing.facts(looks.of(beats=str(song))) != {}


# Elsewhere


def test_a_dive_goes_by_the_beat_and_as_far_at_any_rate(tmp_path: Path) -> None:
    song = record(tmp_path / "song.wav", clicks((0.5, 1.25), 2))

    def path(rate: str, zoom: str = "0:(0.5+2*beat(t))") -> object:
        knobs = {"zoom": zoom, "fps": rate, "seconds": "2", "beats": str(song), "size": "64x48"}
        return ZoomSource.of("noise", looks.of(ZoomSettings, **knobs)).path

    slow, fast = path("12"), path("60")
    assert slow.depth[-1] == pytest.approx(fast.depth[-1], abs=1e-9)
    more = slow.depth[-1] - path("12", "0.5").depth[-1]
    assert more == pytest.approx(2 * 2 * (HOLD + HALF / np.log(2)), rel=0.08)
    assert slow.depth_at(0.7) - slow.depth_at(0.5) > 2.5 * (slow.depth_at(0.5) - slow.depth_at(0.3))


def test_an_exact_dive_says_what_cannot_hear(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--strength", "0.5+beat(t)"], ["--layers", "cycle beat(mixed3b; mixed4a)"]):
        assert zoom.main(["noise", "--bpm", "120", *words]) == 2
        assert f"{words[0]}: an exact dive is dreamed before it moves" in capsys.readouterr().err


def test_a_list_of_jobs_names_songs_beside_itself(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    make_clip("clip.mp4", 2)
    record(tmp_path / "song.wav", clicks((), 1, "hiss"))
    text = (
        "jobs:\n- {input: clip.mp4, output: out.mp4, beats: song.wav, audio: song.wav, strength: beat(t)}\n"
    )
    (tmp_path / "jobs.yaml").write_text(text)
    found, problems = jobs.read(tmp_path / "jobs.yaml")
    assert not problems.found
    assert found[0].settings.time.beats == found[0].settings.output.audio == str(tmp_path / "song.wav")


def test_a_recipe_holds_the_look_of_the_beat_and_nobodys_song(tmp_path: Path) -> None:
    knobs = looks.of(strength="beat(t)", beats="/home/me/song.mp3", bpm=99)
    assert "song.mp3" not in overrides.to_toml(knobs.recipe())
    assert knobs.recipe()["time"]["bpm"] == 99
    assert looks.of(beats="audio").recipe()["time"]["beats"] == "audio"
    (tmp_path / "strange.toml").write_text('[time]\nbeats = "/etc/passwd"\ncuts = "/etc/passwd"\nbpm = 99\n')
    assert recipes.like(tmp_path / "strange.toml").values["time"] == {"bpm": 99}


def test_python_hears_too(tmp_path: Path) -> None:
    import pipeline
    from conftest import tiny_network

    clip = filmed(tmp_path / "clip.mp4", None, 3)
    knobs = {**SMALL, "network": tiny_network(), "iterations": 1}
    live = pipeline.Dreamer(**knobs, strength="beat(t)", bpm=60, offset="0.04s")
    picture = texture(32, 32)
    assert np.array_equal(live.step(picture), picture)
    assert not np.array_equal(live.step(picture), picture)
    with pytest.raises(InputError, match="no sound"):
        next(pipeline.dream(clip, strength="beat(t)", beats="audio"))
