"""Large banks for measurements: the shipped questions, copied under other names."""

from __future__ import annotations

import re
from pathlib import Path

TOPIC_SIZE = 50


def write_bank(source: Path, folder: Path, questions: int) -> None:
    """A bank of so many questions in topics of fifty, made from the text of one shipped topic."""
    text = source.read_text(encoding="utf-8")
    head, _, body = text.partition("questions:\n")
    blocks = [block for block in re.split(r"(?m)^(?=  - id: )", body) if block.strip()]
    for number in range(questions // TOPIC_SIZE):
        name, area = f"topic-{number}", f"area-{number % 20}"
        top = re.sub(r"(?m)^topic: .*$", f"topic: {name}", re.sub(r"(?m)^area: .*$", f"area: {area}", head))
        top = re.sub(r"(?m)^needs: .*$", "needs: []", top)
        copies = [
            re.sub(r"(?m)^  - id: .*$", f"  - id: q{place}", blocks[place % len(blocks)]) for place in range(TOPIC_SIZE)
        ]
        path = folder / area / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(top + "questions:\n" + "".join(copies), encoding="utf-8")
