"""`dlquiz` alone: where to start."""

from __future__ import annotations


def show() -> None:
    """What there is, and the next command to type."""
    from rich.table import Table
    from rich.text import Text

    from quizcli.bank.library import Library
    from quizcli.places import bank_folder, cache_folder
    from quizcli.view.terminal import make_console

    library = Library(bank_folder(), cache_folder())
    topics, entries = library.topics(), library.entries()
    console = make_console()
    console.print(
        Text("dlquiz", style="heading").append("  interview questions on deep learning, every answer can be run")
    )
    console.print(Text(f"{len(entries)} questions on {len(topics)} topics\n", style="dim"))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="code", no_wrap=True)
    grid.add_column(ratio=1)
    first = topics[0].name if topics else "TOPIC"
    demo = entries[0].demo.replace("_", "-") if entries else "NAME"
    for command, meaning in (
        ("dlquiz practice", "ten questions across all topics: start here"),
        (f"dlquiz practice {first}", "only this topic (or an area, or a question's id)"),
        (f"dlquiz demo {demo}", "watch an experiment; dlquiz demo lists them"),
        (f"dlquiz explain {first}", "read the answers instead"),
        ("dlquiz topics", "what there is"),
        ("dlquiz search WORDS", "find a question"),
    ):
        grid.add_row(command, Text(meaning))
    console.print(grid)
    console.print(Text("\nAfter an answer: e everything, d demo. ? lists the keys.", style="dim"))
