"""``python -m fanwen.spiders.samples``: serve the sample sites until Ctrl-C, to look at them."""

from __future__ import annotations

import signal
import threading

import click

from fanwen.spiders.samples.render import HOSTS, STATES, State
from fanwen.spiders.samples.server import SampleServer


@click.command()
@click.option("--port", default=8010, show_default=True, help="port on 127.0.0.1; 0 picks a free one")
@click.option(
    "--state", type=click.Choice(STATES), default="one", show_default=True, help="state of the sites"
)
def main(port: int, state: State) -> None:
    """Serve the five sample sites to a browser or, as an HTTP proxy, to a crawler."""
    # a shell that starts this in the background has it ignore Ctrl-C, and would never be rid of it
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with SampleServer(state, port) as server:
            click.echo(f"proxy: {server.proxy_url}")
            for host in HOSTS:
                click.echo(f"browser: http://{host}.localhost:{server.port}/")
            threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("stopped")
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}); give another --port."
        ) from None


if __name__ == "__main__":
    main()
