"""The command line where no `kansym` is on the path: `python -m kansym discover data.csv`."""

from kansym.cli import main

if __name__ == "__main__":
    main(prog_name="kansym")
