"""The page in a browser, from a file: what its few lines of script do, on a desk and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import CPU, SOURCE, fill, record, study

from benchmark import report
from benchmark.store.records import CostRecord, Facts
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
    """The page, which must neither ask for files beyond its folder nor complain."""
    amiss: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: amiss.append(message.text))
    page.on("pageerror", lambda error: amiss.append(str(error)))
    folder = address.rpartition("/")[0]
    page.on("request", lambda request: None if request.url.startswith(folder) else amiss.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert amiss == []


def shown(page: Any) -> list[str]:
    """The variants that can be seen, from the top."""
    names: list[str] = page.locator(".variants .name:visible").all_inner_texts()
    return names


BEST, WORSE, WORST = "Activation: a|b <i>x_$", "Activation: tanh", "Initialisation (batch norm): zeros"
FOUND = [WORST, WORSE, BEST]


def test_every_variant_is_listed_the_best_news_first(opened: Any) -> None:
    assert (shown(opened)[0], shown(opened)[-2:]) == (BEST, [WORSE, WORST])
    assert len(shown(opened)) == 6
    assert opened.locator(".filters output").inner_text() == "6 of 6 variants shown"


def test_the_first_screen_says_which_tricks_to_use(opened: Any) -> None:
    first = opened.locator(".short").first
    assert first.get_by_role("heading").inner_text() == "Worth using"
    assert BEST in first.inner_text()
    assert first.bounding_box()["y"] < 300


def test_a_link_into_a_folded_table_unfolds_it(opened: Any) -> None:
    picture = opened.locator("#activation-cifar10-quick img").first
    assert not picture.is_visible()
    opened.locator(".short a").first.click()
    picture.wait_for(state="visible")
    opened.wait_for_function("() => document.querySelector('#activation-cifar10-quick img').naturalWidth > 0")


def test_filters_stand_in_the_address(opened: Any, address: str) -> None:
    opened.goto(f"{address}?verdict=helps")
    assert shown(opened) == [BEST]
    opened.get_by_label("verdict").select_option("hurts")
    assert opened.evaluate("location.search") == "?verdict=hurts"
    opened.goto(f"{address}?verdict=nonsense&x=y")
    assert len(shown(opened)) == 6


def test_the_list_is_sorted_by_its_heads(opened: Any) -> None:
    head = opened.locator(".variants th", has_text="effect in points")
    head.click(position={"x": 2, "y": 2})  # anywhere in the cell
    assert shown(opened)[:2] == FOUND[:2]  # the lowest
    head.click()
    assert shown(opened)[0] == FOUND[2]
    assert "sharp" in shown(opened)[-1]  # without an effect, last both ways
    assert head.get_attribute("aria-sort") == "descending"
    opened.locator(".variants th button").first.click()
    assert shown(opened) == sorted(shown(opened))
    # What a variant opens to went with it.
    rows = opened.locator(".variants tbody").evaluate_all("all => all.map(body => body.rows.length)")
    assert rows == [2] * 6


def test_the_list_is_filtered(opened: Any) -> None:
    opened.get_by_label("verdict").select_option("hurts")
    assert shown(opened) == [WORSE, WORST]
    opened.get_by_label("search").fill("ZEROS batch")
    assert shown(opened) == FOUND[:1]
    opened.get_by_label("search").fill("made tanh")  # of what it changes
    assert shown(opened) == FOUND[1:2]
    opened.get_by_label("search").fill("")
    opened.get_by_label("verdict").select_option("all")
    opened.get_by_label("data set").select_option("cifar100")
    assert shown(opened) == ["SAM: sharp"]
    assert opened.get_by_label("part").count() == 0  # all are of one
    assert opened.locator(".filters output").inner_text() == "1 of 6 variants shown"


def test_a_variant_opens_and_closes_from_the_keyboard(opened: Any) -> None:
    body = opened.locator(".variants tbody").filter(has_text="made tanh")
    assert not body.locator(".more").is_visible()
    body.locator(".name button").press("Enter")
    text = body.locator(".more").inner_text()
    assert "missing: 3" in text
    assert "python -m benchmark run --data cifar10 --budget quick --only 'activation: tanh' --seeds 4" in text
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
    assert not page.locator("button.copy").first.is_visible()
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
    assert page.locator(".variants tbody:visible").count() == 25
    page.get_by_role("button", name="show all").click()
    assert page.locator(".variants tbody:visible").count() == 150
    size = path.stat().st_size
    with capsys.disabled():
        print(f"\n150 variants: {size / 1e6:.1f} MB, loaded in {taken / 1000:.1f} s")
    assert size < 1e6
    page.close()


def cost(recipe: str, control: str) -> CostRecord:
    """A step time of twice the control's."""
    return CostRecord(
        recipe=recipe,
        control=control,
        ratio=2.0,
        low=1.9,
        high=2.1,
        step_ms=2.0,
        control_step_ms=1.0,
        environment=dict(CPU),
    )


def test_hostile_names_run_no_script(chromium: Any, tmp_path: Path) -> None:
    evil = '"><img src=x onerror="document.title=String.fromCharCode(80)"><script>document.title="P"</script>'
    store = Store(tmp_path / "store", 1)
    with store.writing():
        facts = Facts(learning_rate=0.1, batch_size=10, epochs=1, steps=10.0, constant_rate=True)
        plain = study(
            evil, evil, [evil, "=1+1"], data=f"../{evil}", budget=evil, sources=("javascript:alert(1)", SOURCE)
        )
        arms = tuple(replace(each, facts=facts) for each in plain.arms)
        store.save_tables([replace(plain, control=replace(plain.control, facts=facts), arms=arms, context="")])
        for arm in ("baseline", evil, "=1+1"):
            for seed in range(4):
                accuracy = 0.5 + 0.001 * seed + 0.1 * (arm == evil)
                store.add(record(f"{evil}-{arm}", seed, accuracy, data=f"../{evil}", budget=evil, reason=evil))
    for name in (evil, "=1+1"):
        store.save_cost(cost(f"{evil}-{name}", f"{evil}-baseline"))
    path = report.write(store, tmp_path / "report")
    page = chromium.new_page()
    page.goto(path.as_uri())
    assert page.title().startswith("Tricks on Trial")
    assert page.locator("figure.picture svg").count() == 1
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    page.wait_for_timeout(200)
    assert page.title().startswith("Tricks on Trial")  # the policy lets no script run but the page's own
    page.close()
    assert ",'=1+1," in (path.parent / "effects.csv").read_text()
    assert {each.parent for each in tmp_path.rglob("time--*")} == {tmp_path / "report" / "plots"}
