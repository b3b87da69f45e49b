"""`make run`: the main job, here and offline, with every other side played by the lab."""

import signal
import sys

# imports take a second: Ctrl-C shall end them without a word, as nothing has been started yet
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))

if __name__ == "__main__":
    from lab.command import main

    main()
