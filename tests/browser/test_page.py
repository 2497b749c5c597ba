"""The report page in a real browser."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from hpt_cli.formatting import format_number
from hpt_cli.metrics.curve import Observation
from hpt_cli.reports.page.data import Record
from hpt_cli.reports.page.html import render_page
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import summarize
from tests.browser.conftest import Page
from tests.builders import created, exited, fold_all, launched, make_spec, run, suggested
from tests.pages import COUNT, make_page

pytest.importorskip("selenium")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

Open = Callable[[str], Page]
CONDITIONS = Path(__file__).parents[1] / "data" / "conditions.json"


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page(make_page())


def sort_by(page: Page, name: str) -> None:
    (button,) = [each for each in page.all(".jobs thead button") if each.text.strip() == name]
    button.click()


def fill_filter(page: Page, text: str) -> list[int]:
    field = page.one(".filter")
    field.clear()
    field.send_keys(text)
    return page.list_shown_jobs()


def test_no_request_leaves_the_page_and_the_console_is_clean(open_page: Open) -> None:
    page = open_page(make_page("one", "two"))
    assert page.list_errors() == []
    assert [url for url in page.list_requests() if not url.startswith(("file:", "data:"))] == []
    assert "owned" not in page.browser.title
    assert page.all("img") == []


ODD: dict[str, list[ev.Event]] = {
    "no job yet": [],
    "one that runs": [*suggested(1), *launched(1)],
    "one with a single value": [*run(1, 0.5)],
    "nothing finite": [*run(1, math.nan, math.inf), *run(2, math.nan)],
    "all alike": [*run(1, 1.0, 1.0), *run(2, 1.0, 1.0), *run(3, 1.0, 1.0)],
    "huge and tiny": [*run(1, 1e300, -1e300), *run(2, 1e-300), *run(3, 0.0)],
    "only failures": [*suggested(1), *launched(1), exited(1, 1)],
}


@pytest.mark.parametrize("story", ODD)
def test_odd_tuning_jobs_are_drawn_too(open_page: Open, story: str) -> None:
    state = fold_all(*created(make_spec()), *ODD[story])
    record = Record(summarize(state, 20, at_work=True), state, None, None, [])
    page = open_page(render_page([record, record], 0.0))
    for box in page.all(".log, .whole"):
        page.run("arguments[0].click()", box)
    assert page.list_errors() == []
    drawn = "return [...document.querySelectorAll('svg *')].map((e) => e.outerHTML).join('')"
    assert "NaN" not in page.run(drawn)
    assert "Infinity" not in page.run(drawn)


def test_every_chart_is_drawn(page: Page) -> None:
    charts = page.all(".plot")
    assert len(charts) == 4 + 3  # one for each of three hyperparameters
    for chart in charts:
        drawn = page.run("return [...arguments[0].querySelectorAll('.mark path')].length", chart)
        assert drawn > 0
        assert "story" in chart.get_attribute("aria-label")


def test_the_table_sorts_both_ways_with_what_is_missing_last(page: Page) -> None:
    sort_by(page, "loss")
    assert page.list_shown_jobs()[0] == 8
    assert page.list_shown_jobs()[-1] == 5  # it failed
    sort_by(page, "loss")
    assert page.list_shown_jobs()[0] in (6, 9)
    assert page.list_shown_jobs()[-1] == 5
    sorted_by = page.all("th[aria-sort=descending]")
    assert [each.text.partition(" ")[0] for each in sorted_by] == ["loss"]
    sort_by(page, "job")
    assert page.list_shown_jobs() == list(range(1, COUNT + 1))


def test_the_table_filters_by_words_conditions_and_status(page: Page) -> None:
    assert fill_filter(page, "failed") == [5]
    assert fill_filter(page, "layers > 7 and status = Completed") == [7, 8]
    assert fill_filter(page, "layers >= 7 and loss < 0.2") == [8]
    assert fill_filter(page, "nonsense < 3") == list(range(1, COUNT + 1))
    assert page.one(".filter").get_attribute("aria-invalid") == "true"
    assert len(fill_filter(page, "")) == COUNT
    page.one("input[value=Completed]").click()
    assert page.list_shown_jobs() == [5, 6, 9]
    assert page.one("output").text == f"3 of {COUNT} jobs"


def test_the_filter_takes_the_conditions_of_the_terminal(page: Page) -> None:
    """The cases are those of tests/unit/filter."""
    text = CONDITIONS.read_text()
    outcomes = page.run(
        """
        const { row, cases } = JSON.parse(arguments[0]), record = new Map(Object.entries(row));
        return cases.map(({ condition }) => {
          try {
            return [parseCondition(condition, record.keys())(record), null];
          } catch (error) {
            return [error.message, error.column];
          }
        });
        """,
        text,
    )
    cases = json.loads(text)["cases"]
    assert len(cases) > 40
    for case, (outcome, column) in zip(cases, outcomes, strict=True):
        if "met" in case:
            assert outcome is case["met"], case["condition"]
        else:
            assert case["error"] in outcome, case["condition"]
            assert column == case["column"], case["condition"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("status in (Failed, Stopped) or loss < 0.2", [5, 6, 8, 9]),
        ("not (layers > 3) and rate < 0.09", [1, 2]),
        ("kind = a or kind = b and layers = 2", [1, 3, 6, 9, 10, 12]),
        ("stop_reason = EarlyStopped and epochs = 2", [6, 9]),
        ("objective_status = Failed or final_objective_value = 0.1", [5, 8]),
        ("training_job_name = story-0003 or job > 11 or attempts > 1", [3, 12]),
        ("failed or 'early' and not (job = 9)", [5, 6]),
        ("exit code 1", [5]),
        ("stopped AND layers > 6", [6]),
    ],
)
def test_conditions_and_words_filter_the_table(page: Page, text: str, shown: list[int]) -> None:
    assert fill_filter(page, text) == shown
    assert page.one(".filter").get_attribute("aria-invalid") == "false"


def test_what_is_wrong_with_a_condition_is_said(page: Page) -> None:
    assert fill_filter(page, "layers > 3 and (nonsense < 3)") == list(range(1, COUNT + 1))
    assert page.one(".filter").get_attribute("aria-invalid") == "true"
    assert page.one(".filter").get_attribute("title") == "there is no column 'nonsense'"


def test_names_of_several_words_need_no_quotes(open_page: Open) -> None:
    name = "val loss (%) < best"
    definition = {"name": name, "regex": "loss=({num})"}
    spec = make_spec(metric_definitions=[definition], objective_metric_name=name)
    observations = [Observation(name, at, 1.0, float(at)) for at in (1, 2)]
    events = [
        event
        for number, each in enumerate(observations, start=1)
        for event in (
            *suggested(number),
            *launched(number),
            ev.ObservationsRead(at=2, number=number, attempt=1, observations=(each,)),
            exited(number),
        )
    ]
    state = fold_all(*created(spec), *events)
    record = Record(summarize(state, 20, at_work=False), state, None, None, [])
    page = open_page(render_page([record], 0.0))
    assert fill_filter(page, f"{name} > 1.5 and job < 9") == [2]
    assert fill_filter(page, f"'{name}' > 1.5") == [2]


def test_numbers_are_written_as_in_the_terminal(page: Page) -> None:
    """But for exact halves such as 100.25, which Python rounds to even."""
    numbers = [0, 1, -3, 999999, 1e6, 1234567, 123456.7, 12345.6, 0.1, 1 / 3, 2 / 3, -0.00012345]
    numbers += [0.0001, 0.00009999, 0.000099999, 9999.6, 99999.6, 1e-300, 1.5e300, 100.26, 2.5]
    written = page.run("return arguments[0].map((value) => formatNumber(value))", numbers)
    assert written == [format_number(value) for value in numbers]
    assert page.run("return formatNumber(null)") == format_number(None)


def test_what_is_filtered_out_fades_in_the_charts(page: Page) -> None:
    def count_faded() -> int:
        script = "return document.querySelectorAll('[data-chart=curves] .out path').length"
        return int(page.run(script))

    assert count_faded() == 0
    fill_filter(page, "failed")
    assert count_faded() == COUNT - 1


def test_hovering_shows_the_job_and_lights_it_everywhere(page: Page) -> None:
    curve = page.one("[data-chart=curves] svg")
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", curve)
    path = page.one("[data-chart=curves] .best path")
    box = page.run(
        "const b = arguments[0].getBoundingClientRect(); return [b.right, b.bottom]", path
    )
    mouse = ActionChains(page.browser)
    mouse.w3c_actions.pointer_action.move_to_location(round(box[0]) - 1, round(box[1]) - 1)
    mouse.perform()
    assert "story-0008 ★" in page.one("#tip").text
    assert "0.1" in page.one("#tip").text
    assert page.one("tr.lit td").text == "8 ★"
    lit = page.run(
        "return [...document.querySelectorAll('svg .lit')].map((e) => e.getAttribute('d'))"
    )
    assert all(lit)


def test_arrow_keys_step_through_jobs_and_are_said(page: Page) -> None:
    page.one("[data-chart=progress] .plot").send_keys(Keys.ARROW_RIGHT)
    assert "story-0001" in page.run("return document.getElementById('said').textContent")
    page.one("[data-chart=progress] .plot").send_keys(Keys.ARROW_RIGHT)
    assert "story-0002" in page.run("return document.getElementById('said').textContent")
    page.one("[data-chart=progress] .plot").send_keys(Keys.ESCAPE)
    assert not page.one("#tip").is_displayed()


def test_dragging_along_an_axis_keeps_the_jobs_that_pass_there(page: Page) -> None:
    handle = page.all("[data-chart=parallel] .handle")[1]
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", handle)
    height = handle.size["height"]
    ActionChains(page.browser).move_to_element_with_offset(
        handle, 0, -height // 2 + 2
    ).click_and_hold().move_by_offset(0, height // 4).release().perform()
    shown = page.list_shown_jobs()
    assert shown
    assert all(1 + number % 9 >= 7 for number in shown)
    ActionChains(page.browser).move_to_element(handle).click().perform()
    assert len(page.list_shown_jobs()) == COUNT


def test_sliders_keep_a_part_of_an_axis_by_keyboard(page: Page) -> None:
    page.one(".sliders summary").send_keys(Keys.ENTER)
    low, high = page.all(".sliders fieldset")[1].find_elements("tag name", "input")
    assert (low.accessible_name, high.accessible_name) == ("layers from", "layers to")
    low.send_keys(Keys.PAGE_UP * 7)
    shown = page.list_shown_jobs()
    assert shown
    assert all(1 + number % 9 >= 6 for number in shown)
    assert low.get_attribute("aria-valuetext") == page.all(".sliders span")[1].text.split(" ")[0]
    high.send_keys(Keys.HOME)
    assert low.get_attribute("value") == high.get_attribute("value") == "0"
    high.send_keys(Keys.END)
    assert len(page.list_shown_jobs()) == COUNT
    assert page.all(".sliders span")[1].text == "all"


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_width_in_both_colour_schemes(page: Page, width: int, scheme: str) -> None:
    def command(name: str, **arguments: object) -> None:
        page.browser.execute_cdp_cmd(f"Emulation.{name}", arguments)

    command("setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    command("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")
    assert page.run("return document.documentElement.scrollWidth") <= width
    colours = page.run(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    assert (brightness(colours[1]) > brightness(colours[0])) == (scheme == "light")
    command("clearDeviceMetricsOverride")
    command("setEmulatedMedia", features=[])


def brightness(colour: str) -> int:
    return sum(int(part) for part in colour.strip("rgba()").split(",")[:3])


def test_it_prints(page: Page) -> None:
    printed = page.browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 10_000
    assert page.list_errors() == []
