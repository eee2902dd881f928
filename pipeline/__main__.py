"""`python -m pipeline`: dream-video, where its script is not at hand."""

import sys

from pipeline.cli.video import main

if __name__ == "__main__":
    sys.exit(main())
