"""The page in a browser, from a file: what its few lines of script do, on a desk and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import fill, record, study

from benchmark import report
from benchmark.store.store import Store

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's Chromium, else playwright's own."""
    with api.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        except api.Error as reason:
            pytest.skip(f"there is no Chromium: {str(reason).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the page of a store with two data sets and a run missing."""
    folder = tmp_path_factory.mktemp("page")
    store = fill(folder / "store", lambda run: None if (run.recipe, run.seed) == ("-tanh", 3) else run)
    with store.writing():
        store.save_tables([study("sam", "", ["sharp"], data="cifar100", fingerprint="g", claims=())])
        for seed in range(4):
            store.add(record("-sharp", seed, 0.5 + 0.001 * seed, data="cifar100", fingerprint="g"))
    return report.write(store, folder / "report").as_uri()


@pytest.fixture
def opened(chromium: Any, address: str) -> Iterator[Any]:
    """The page, which must neither ask for another file nor complain."""
    amiss: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: amiss.append(message.text))
    page.on("pageerror", lambda error: amiss.append(str(error)))
    page.on("request", lambda request: amiss.append(request.url) if request.url != address else None)
    page.goto(address)
    yield page
    page.close()
    assert amiss == []


def shown(page: Any) -> list[str]:
    """The variants that can be seen, from the top."""
    names: list[str] = page.locator(".variants .name:visible").all_inner_texts()
    return names


FOUND = ["initialisation (batch norm): zeros", "activation: tanh", "activation: a|b <i>x_$"]


def test_every_variant_is_listed_those_with_an_answer_first(opened: Any) -> None:
    assert shown(opened)[:3] == FOUND
    assert len(shown(opened)) == 6
    assert opened.locator(".filters output").inner_text() == "6 of 6 variants"


def test_the_list_is_sorted_by_its_heads(opened: Any) -> None:
    head = opened.get_by_role("columnheader", name="effect in points").first.get_by_role("button")
    head.click()
    assert shown(opened)[:2] == FOUND[:2]  # the lowest
    head.click()
    assert shown(opened)[0] == FOUND[2]
    assert "sharp" in shown(opened)[-1]  # without an effect, last both ways
    opened.locator(".variants th button").first.click()
    assert shown(opened) == sorted(shown(opened))
    # What a variant opens to went with it.
    rows = opened.locator(".variants tbody").evaluate_all("all => all.map(body => body.rows.length)")
    assert rows == [2] * 6


def test_the_list_is_filtered(opened: Any) -> None:
    opened.get_by_label("verdict").select_option("hurts")
    assert shown(opened) == FOUND[:2]
    opened.get_by_label("search").fill("ZEROS batch")
    assert shown(opened) == FOUND[:1]
    opened.get_by_label("search").fill("made tanh")  # of what it changes
    assert shown(opened) == FOUND[1:2]
    opened.get_by_label("search").fill("")
    opened.get_by_label("verdict").select_option("all")
    opened.get_by_label("data set").select_option("cifar100")
    assert shown(opened) == ["sam: sharp"]
    opened.get_by_label("part").select_option("after the article")
    assert opened.locator(".filters output").inner_text() == "1 of 6 variants"


def test_a_variant_opens_and_closes_from_the_keyboard(opened: Any) -> None:
    body = opened.locator(".variants tbody", has_text="activation").filter(has_text="made tanh")
    assert not body.locator(".more").is_visible()
    body.locator(".name button").press("Enter")
    text = body.locator(".more").inner_text()
    assert "missing: 3" in text
    assert "python -m benchmark run --data cifar10 --budget quick --only activation --seeds 4" in text
    body.locator(".name button").press("Enter")
    assert not body.locator(".more").is_visible()


def test_a_phone_shows_it_without_scrolling_sideways(opened: Any) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    for button in opened.locator(".name button").all():
        button.click()
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert (
        opened.evaluate("Math.max(...[...document.querySelectorAll('td')].map(e => e.getBoundingClientRect().right))")
        <= 390
    )


def test_everything_is_visible_without_scripts(chromium: Any, address: str) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address)
    assert page.locator(".variants tbody:visible").count() == 6
    assert page.locator(".variants .more:visible").count() == 6
    assert not page.locator(".filters").is_visible()
    page.close()


def test_a_page_of_150_variants_is_small(chromium: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, curve = Store(tmp_path / "store", 1), tuple(0.1 * epoch for epoch in range(10))
    with store.writing():
        for at in range(5):
            arms = [f"variant {each}" for each in range(30)]
            store.save_tables([study(f"trick {at}", f"{at}", arms)])
            for arm in ("baseline", *arms):
                for seed in range(2):
                    accuracy = 0.6 + 0.01 * (hash((at, len(arm), seed)) % 7)
                    epochs = {"validation_accuracy": curve, "epoch_train_accuracy": curve}
                    store.add(record(f"{at}-{arm}", seed, accuracy, **epochs))
    path = report.write(store, tmp_path / "report")
    page = chromium.new_page()
    page.goto(path.as_uri())
    taken = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert page.locator(".variants tbody").count() == 150
    size = path.stat().st_size
    with capsys.disabled():
        print(f"\n150 variants: {size / 1e6:.1f} MB, loaded in {taken / 1000:.1f} s")
    assert size < 5e6
    page.close()
