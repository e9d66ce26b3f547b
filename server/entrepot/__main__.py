"""`python -m entrepot`: the same as the command `entrepot`."""

from entrepot.cli import main

main(prog_name="entrepot")
