"""The command serve: a corpus, a release or its site, looked at in a browser."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fanwen.corpus.home import Home
from fanwen.corpus.options import home_option, json_option
from fanwen.corpus.report import Progress, print_json
from fanwen.corpus.schema import Language
from fanwen.errors import UsageError


@click.command()
@home_option
@json_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(("en", "zh")),
    default="en",
    show_default=True,
    help="Language of descriptions and questions.",
)
@click.option("--unmasked", is_flag=True, help="Also texts that are not masked, on this machine alone.")
@click.option(
    "--site",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Serve the site of a release, a folder of files, instead.",
)
@click.argument("what", required=False)
def serve(
    home: Home,
    as_json: bool,
    host: str,
    port: int,
    language: Language,
    unmasked: bool,
    site: Path | None,
    what: str | None,
) -> None:
    """Look at WHAT in a browser: a release folder, a version, a checkout or a home; search it in Chinese.

    Without WHAT it is the newest release of the home, or with --unmasked what the home holds now. Nothing is
    ever written. It is Datasette (pip install 'fanwen[serve]'), and ends with Ctrl-C.

    Example: fanwen serve 2026.11.0 --lang zh
    """
    if site is not None:
        if what is not None:
            raise UsageError("--site names what is served; leave WHAT out.")
        from fanwen.corpus import site_server

        site_server.serve(site, host, port)
        return
    from fanwen.corpus.reader import located

    try:
        from fanwen.corpus import serve as serve_module
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed; pip install 'fanwen[serve]' brings it.") from None

    path = _shown(home, unmasked=unmasked) if what is None else located(what, home)
    if not serve_module.is_loopback(host):
        print(f"Everybody who reaches {host} can read what is served here.", file=sys.stderr)
    progress = Progress()

    def say(url: str) -> None:
        progress.close()
        if as_json:
            print_json({"url": url, "serves": str(path)})
        else:
            print(f"{path} on {url} (Ctrl-C ends it)")
        sys.stdout.flush()

    serve_module.serve(path, host, port, language, unmasked=unmasked, say=say, progress=progress)


def _shown(home: Home, *, unmasked: bool) -> Path:
    """What is served where nothing is named."""
    from fanwen.corpus import release_index

    if unmasked:
        return home.path
    good = [one for one in release_index.read_index(home.releases) if not one.withdrawn]
    if not good:
        raise UsageError(
            f"There is no release in {home.releases}; 'fanwen release create' makes one, and --unmasked shows"
            " what the home holds."
        )
    return home.releases / max(good, key=lambda one: one.seq).version


COMMANDS = (serve,)
