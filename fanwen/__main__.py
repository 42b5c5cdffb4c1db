"""``python -m fanwen`` is the command ``fanwen``."""

from fanwen.corpus.cli import main

main()
