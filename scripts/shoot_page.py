"""The page of --ui on the drawn scene, as a picture: needs Gradio and Chromium.

python scripts/shoot_page.py --out docs/page.jpg
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from pipeline.cli import options
from pipeline.ui.choice import Base
from pipeline.ui.page import served
from pipeline.ui.studio import Studio

from browser import tab  # isort: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/page.jpg"))
    parser.add_argument("--layer", default="mixed4b")
    parser.add_argument("--width", type=int, default=1180)
    parser.add_argument("--height", type=int, default=1010)
    given = parser.parse_args()
    asked = options.read("dream-video", "", ["--demo"])
    studio = Studio(Base(asked.settings, asked.origins))
    with tempfile.TemporaryDirectory() as profile, served(studio, 0) as address, tab(Path(profile)) as chrome:
        chrome.open(address, given.width, given.height)
        chrome.wait('document.querySelectorAll("#gallery button img").length >= 24', 600)
        chrome.run(
            f'[...document.querySelectorAll("#gallery button")].find(b => b.innerText == "{given.layer}").click()'
        )
        chrome.wait(f'document.querySelector("#command textarea").value.includes("{given.layer}")', 120)
        chrome.wait('document.querySelector("#picture img").complete')
        chrome.run("window.scrollTo(0, 0)")
        chrome.screenshot(given.out)


if __name__ == "__main__":
    main()
