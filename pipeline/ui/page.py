"""Page: the studio as a page of Gradio's. A studio in, an app that is served on this machine alone out."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.errors import UsageError, bring
from pipeline.ui.answers import Answers
from pipeline.ui.choice import OBJECTIVES, SIZES, Choice
from pipeline.ui.studio import MOMENTS, SECONDS, Studio

HOST, PORTS = "127.0.0.1", range(7860, 7960)
LARGEST_FILE = "1gb"
KINDS = ["image", "video", ".exr", ".mkv"]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE: dict[str, Any] = QUIET | {"concurrency_limit": None, "trigger_mode": "multiple"}
FILE_NAME = "(file) => (file && file.orig_name) || ''"  # the library hands on a simplified one


@contextmanager
def served(studio: Studio, port: int) -> Iterator[str]:
    """Serve the page while the block runs; gives its address. port: 0 for the first that is free.

    Uploads and pictures lie in a folder that goes with it. UsageError: Gradio is not installed, or the port is taken.
    """
    with TemporaryDirectory(prefix="dream-video-ui-", ignore_cleanup_errors=True) as folder, closing(studio):
        os.environ["GRADIO_TEMP_DIR"] = folder
        gr = _gradio()
        from starlette.middleware import Middleware  # noqa: PLC0415  comes with it
        from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: PLC0415

        free = _free(port)
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        page = app(gr, studio, Path(folder))
        try:
            _, address, _ = page.launch(
                server_name=HOST, server_port=free, share=False, inbrowser=False, quiet=True,
                prevent_thread_lock=True, max_file_size=LARGEST_FILE, enable_monitoring=False, ssr_mode=False,
                mcp_server=False, pwa=False, footer_links=[], strict_cors=True, run_history=False,
                theme=_theme(gr), css=(Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
                app_kwargs={"middleware": [hosts], "docs_url": None, "redoc_url": None},
            )  # fmt: skip
        except OSError:  # somebody else was faster
            raise _taken(free) from None
        try:
            yield address
        finally:
            page.close(verbose=False)


def _gradio() -> Any:
    """The library, told to keep to itself. UsageError where it is not installed."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio  # noqa: PLC0415  seconds, and an extra
    except ImportError as error:
        missing = error.name or str(error)
        raise UsageError(f"--ui: needs Gradio ({missing} is missing): {bring('ui')}") from None
    return gradio


def _free(port: int) -> int:
    """A port nobody listens on. UsageError."""
    for one in (port,) if port else PORTS:
        with socket.socket() as test:
            if os.name != "nt":  # there it would mean sharing one
                test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                test.bind((HOST, one))
            except OSError:
                continue
            return one
    raise _taken(port)


def _taken(port: int) -> UsageError:
    which = f"--port {port}: is in use." if port else f"ports {PORTS[0]} to {PORTS[-1]} are all in use."
    return UsageError(f"{which} Give another one with --port, or none for the first that is free.")


def _theme(gr: Any) -> Any:
    """With the fonts a machine has: a page that asks nobody for any."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return gr.themes.Base(primary_hue="amber", neutral_hue="stone", **fonts)


def app(gr: Any, studio: Studio, folder: Path) -> Any:
    """The page, not served yet. folder: where pieces are written."""
    first = studio.base.first()
    with gr.Blocks(title="dream-video", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        with gr.Row():
            with gr.Column(scale=1, min_width=290):
                file = gr.File(label="Drop a picture or a clip", file_types=KINDS, height=140, elem_id="file")
                moment = gr.Slider(
                    1, MOMENTS, (MOMENTS + 1) // 2, step=1, label="Moment of the clip", visible=False
                )
                knobs = _knobs(gr, studio, first)
            with gr.Column(scale=2, min_width=320, elem_id="seen"):
                picture = gr.Image(
                    label="Dreamed", format="png", interactive=False, elem_id="picture",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip
                told = gr.Textbox(show_label=False, interactive=False, elem_id="told", lines=1, max_lines=4)
                command = gr.Textbox(
                    label="The command that dreams the same", lines=2, max_lines=6, interactive=False,
                    elem_id="command", buttons=["copy"],
                )  # fmt: skip
                with gr.Row():
                    play = gr.Button(f"Dream {SECONDS:g} seconds of it", visible=False, elem_id="play")
                    stop = gr.Button("Stop", visible=False, variant="stop", elem_id="stop")
                film = gr.Video(
                    label=f"{SECONDS:g} seconds", visible=False, interactive=False, elem_id="film"
                )
                gallery = gr.Gallery(
                    label="Layers", columns=5, height="auto", allow_preview=False, format="jpeg",
                    interactive=False, elem_id="gallery", object_fit="cover", buttons=[],
                )  # fmt: skip
        name, names = gr.Textbox(visible=False), gr.State([])
        told_of = Answers(gr, studio, folder)
        dream: dict[str, Any] = AT_ONCE | {
            "fn": _streamed(gr, told_of.dream),
            "inputs": [file, name, moment, *knobs],
            "outputs": [picture, told, command],
        }
        shelf: dict[str, Any] = AT_ONCE | {
            "fn": _streamed(gr, told_of.layers),
            "inputs": [knobs[0]],
            "outputs": [gallery, names],
        }
        for_clips: dict[str, Any] = QUIET | {
            "fn": told_of.opened,
            "inputs": [file],
            "outputs": [moment, play, film],
        }
        model, layers, objective, *sliders, size = knobs
        page.load(**for_clips).then(**dream).then(**shelf)
        file.change(**for_clips).then(
            fn=None, inputs=[file], outputs=[name], js=FILE_NAME, api_visibility="private"
        ).then(**dream)
        model.input(fn=told_of.network, inputs=[model], outputs=knobs[1:], **QUIET).then(**dream).then(
            **shelf
        )
        for slider in (*sliders, moment):
            slider.release(**dream)
        for event in (objective.input, size.input, layers.submit, layers.blur):
            event(**dream)
        gallery.select(fn=_picked(gr, told_of), inputs=[names], outputs=[layers], **QUIET).then(**dream)
        play.click(
            fn=_streamed(gr, told_of.piece), inputs=[file, *knobs], outputs=[film, told, stop], **AT_ONCE
        )
        stop.click(fn=_asked(gr, told_of.stopped), **QUIET)
        page.unload(_asked(gr, told_of.left))
    return page


def _knobs(gr: Any, studio: Studio, first: Choice) -> list[Any]:
    """A part for each field of a Choice, in its order."""
    model = gr.Dropdown(studio.base.models(), value=first.model, label="Network", elem_id="model")
    layers = gr.Textbox(
        first.layers,
        label="Layers",
        info="or click one below",
        elem_id="layers",
        max_length=2000,
        submit_btn=False,
    )
    objectives = list(dict.fromkeys((*OBJECTIVES, first.objective)))
    objective = gr.Radio(objectives, value=first.objective, label="Objective", elem_id="objective")
    strength = gr.Slider(0, 2, first.strength, step=0.05, label="Strength", elem_id="strength")
    steadiness = gr.Slider(0, 0.99, first.steadiness, step=0.01, label="Steadiness, of clips")
    octaves = gr.Slider(1, 8, first.octaves, step=1, label="Octaves")
    step = gr.Slider(0, 5, first.step, step=0.1, label="Step, grey levels")
    sizes = list(dict.fromkeys((first.dream_size, *SIZES)))
    about = f"{SIZES[0]} is quick; larger ones dream smaller forms, and take longer"
    size = gr.Dropdown(sizes, value=first.dream_size, label="Dream size", info=about)
    return [model, layers, objective, strength, steadiness, octaves, step, size]


# The library finds out what to hand to a function by its annotations, and whether it is a generator by its code.


def _asked(gr: Any, answer: Callable[..., Any]) -> Callable[..., Any]:
    def of_session(request: Any, *values: Any) -> Any:
        return answer(*values, session=str(request.session_hash))

    of_session.__annotations__ = {"request": gr.Request}
    return of_session


def _streamed(gr: Any, answer: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def of_session(request: Any, *values: Any) -> Iterator[Any]:
        yield from answer(*values, session=str(request.session_hash))

    of_session.__annotations__ = {"request": gr.Request}
    return of_session


def _picked(gr: Any, answers: Answers) -> Callable[..., Any]:
    def of_place(event: Any, names: list[str]) -> Any:
        return answers.chosen(names, int(event.index))

    of_place.__annotations__ = {"event": gr.SelectData}
    return of_place
