"""`fastpay openapi`: the description of the API, for generators of clients."""

from pathlib import Path

import click


@click.command()
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file.")
def openapi(output: Path | None) -> None:
    """Print the OpenAPI document of the API.

    A running server has it at /openapi.json.
    """
    from fastpay.operations.description import render  # noqa: PLC0415

    text = render()
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
