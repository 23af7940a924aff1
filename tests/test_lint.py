"""What is wrong with the content of a bank, as far as a program can see it."""

from __future__ import annotations

import pytest

from quizcli.bank.lint import Support, support
from quizcli.model import Citation, KeyPoint, Proof
from tests.banks import Bank
from tests.questions import choice, question


def messages(bank: Bank) -> list[str]:
    return [problem.message for problem in bank.problems()]


def test_a_key_point_stands_on_a_proof_or_a_citation(bank: Bank) -> None:
    bank.change(
        "convolution", "says: Padding counts twice., proof: conv_shape/formula-counts", "says: Padding counts twice."
    )
    (problem,) = bank.problems()
    assert (problem.path, problem.line) == (bank.shown("convolution"), bank.line("convolution", "- id: wrong-side"))
    assert "'twice' stands on neither a proof nor a citation" in problem.message


def test_a_sample_that_earns_less_than_it_should_is_a_problem(bank: Bank) -> None:
    bank.change("averaging", "the noise gets smaller", "the noise gets bigger")
    (message,) = messages(bank)
    assert "earns [unbiased], but should earn [unbiased, variance]" in message


def test_a_sample_that_earns_more_than_it_should_is_a_problem(bank: Bank) -> None:
    bank.change("averaging", "it makes the gradient larger", "it reduces the variance of the gradient")
    (message,) = messages(bank)
    assert "earns [variance], but should earn []" in message


def test_one_sample_earns_every_must(bank: Bank) -> None:
    bank.change(
        "convolution", '{text: "the same kernel everywhere", earns: [shared]}', '{text: "it is quick", earns: []}'
    )
    (message,) = messages(bank)
    assert "no sample earns every `must`" in message


def test_one_sample_does_not_earn_every_must(bank: Bank) -> None:
    bank.change(
        *("convolution", '{text: "because images are local", earns: [local]}'),
        '{text: "weights are reused", earns: [shared]}',
    )
    (message,) = messages(bank)
    assert "every sample earns every `must`" in message


def test_a_drawn_value_stands_in_the_prompt(bank: Bank) -> None:
    bank.change("convolution", "a kernel of {kernel}", "a kernel of {kernels}")
    (problem,) = bank.problems()
    assert (problem.line, "'kernel' does not stand in the prompt as {kernel}" in problem.message) == (
        bank.line("convolution", "- id: output-size"),
        True,
    )


@pytest.mark.parametrize(
    ("prompt", "how"),
    [
        ("Which line computes the side wrongly?", "asks the same as"),
        ("which LINE computes:\n      the side (wrongly)?", "asks the same as"),
        ("So which line computes the side wrongly?", "asks nearly the same as"),
    ],
)
def test_a_question_asked_twice_is_named(bank: Bank, prompt: str, how: str) -> None:
    bank.change("averaging", "prompt: Why does one average gradients over a batch?", f"prompt: |\n      {prompt}")
    (problem,) = bank.problems()
    assert how in problem.message
    assert {problem.path, problem.message.split("'")[3].split("/")[0]} in (
        {bank.shown("averaging"), "convolution"},
        {bank.shown("convolution"), "averaging"},
    )


@pytest.mark.parametrize(
    "prompt", ["Why does a convolution share one kernel over places?", "Wrongly computes line which?"]
)
def test_questions_that_share_a_few_words_are_two(bank: Bank, prompt: str) -> None:
    bank.change("averaging", "Why does one average gradients over a batch?", prompt)
    assert messages(bank) == []


def test_support_counts_proofs_before_citations() -> None:
    proof, cite = Proof("demo", "claim"), (Citation("book"),)
    points = [
        KeyPoint("both", "x", proof=proof, cites=cite),
        KeyPoint("proven", "x", proof=proof),
        KeyPoint("cited", "x", cites=cite),
        KeyPoint("neither", "x"),
    ]
    found = support([question(choice([0], 2), key_points=points[:3]), question(choice([0], 2), key_points=points[3:])])
    assert found == Support(points=4, proven=2, cited=1)
    assert found.share == 0.5


def test_no_points_have_no_share() -> None:
    assert support([]).share == 0.0
