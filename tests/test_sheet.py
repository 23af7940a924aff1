"""The study sheet: a page that holds all of a topic, and in which nothing of a bank is markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from quizcli.bank.library import Library, TopicInfo
from quizcli.cli.listing import example
from quizcli.errors import UsageError
from quizcli.model import Choice
from quizcli.view.sheet import check_target, page


class Reader(HTMLParser):
    """The words of a page, and whether its tags are in order."""

    OPEN = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.OPEN:
            self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words += data.split()


def sheet(folder: Path, cache: Path, topic: str) -> tuple[str, Library, TopicInfo]:
    library = Library(folder, cache)
    info = library.topic(topic)
    questions = [library.question(entry.id) for entry in library.entries(topic)]
    filled = [(question, example(question), 0.5) for question in questions]
    return page(info, filled, {}, lambda name: library.misconception(name)[0]), library, info


@pytest.mark.parametrize("topic", ["softmax", "cnn", "lstm"])
def test_a_sheet_holds_every_question_with_its_answer(tmp_path: Path, topic: str) -> None:
    text, library, info = sheet(Path(__file__).parent.parent / "questions", tmp_path, topic)
    reader = Reader(text)
    assert reader.tags == []
    words = " ".join(reader.words)
    assert info.title in words
    for entry in library.entries(topic):
        question = library.question(entry.id)
        assert question.id in words
        assert all(f"{point.proof}" in words for point in question.key_points if point.proof is not None)
        if isinstance(question.body, Choice):
            assert sum(option.correct for option in question.body.options) >= 1 and "✓" in words
    for reference in info.references.values():
        assert " ".join(reference.split()) in words


def test_an_exhibit_stands_above_its_prompt_in_its_colors(tmp_path: Path) -> None:
    bank = Path(__file__).parent / "e2e" / "bank"
    library = Library(bank, tmp_path)
    questions = [(library.question("shares/curve"), example(library.question("shares/curve")), None)]
    text = page(library.topic("shares"), questions, {"shares/curve": "┌─<b>─┐\n\x1b[31m▞\x1b[0m·"}, str)
    reader = Reader(text)
    assert reader.tags == [] and "b" not in reader.seen
    words = reader.words
    assert words.index("┌─<b>─┐") < words.index("▞") < words.index("curve")
    assert 'style="color: #' in text


def test_nothing_of_a_bank_is_markup(tmp_path: Path) -> None:
    bank = Path(__file__).parent / "e2e" / "bank"
    text, *_ = sheet(bank, tmp_path, "literal")
    reader = Reader(text)
    assert reader.tags == []
    known = "html meta title style h1 p article h2 ul li span code pre b br ol footer"
    assert reader.seen <= set(known.split())
    assert "[b]" in " ".join(reader.words)


def test_a_target_that_cannot_be_is_refused(tmp_path: Path) -> None:
    assert check_target(str(tmp_path / "a.HTML")) == tmp_path / "a.HTML"
    with pytest.raises(UsageError, match=r"must end with \.html"):
        check_target("sheet.pdf")
    with pytest.raises(UsageError, match="there is no folder"):
        check_target(str(tmp_path / "no" / "sheet.html"))
