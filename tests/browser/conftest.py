"""A headless Chromium, where there is one (Debian: chromium, chromium-driver)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium, or no chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for quiet in ("background-networking", "component-update", "gpu", "quic", "sync"):
        options.add_argument(f"--disable-{quiet}")
    options.add_argument("--headless=new")
    options.add_argument("--no-sandbox")
    options.add_argument("--window-size=1200,900")
    options.add_argument("--force-prefers-reduced-motion")  # no smooth scrolling under a click
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


class Page:
    """A page in the browser, and what happened in it."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def run(self, script: str, *arguments: Any) -> Any:
        """Return the result of a script."""
        return self.browser.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        """Return the elements that match a CSS selector."""
        return list(self.browser.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """Return the first of them."""
        return self.browser.find_element("css selector", selector)

    def list_shown_jobs(self) -> list[int]:
        """Return the numbers of the training jobs shown in the table, from the top."""
        cells = "[...document.querySelectorAll('.jobs tbody tr')].filter((row) => !row.hidden)"
        return list(self.run(f"return {cells}.map((row) => parseInt(row.cells[0].textContent))"))

    def list_errors(self) -> list[str]:
        """Return the messages of the console."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def list_requests(self) -> list[str]:
        """Return the addresses of everything that was requested."""
        messages = [
            json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")
        ]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Callable[[str], Page]:
    """Return a function that opens the text of a page, and waits until it is drawn."""

    def open_text(text: str) -> Page:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        chromium.get_log("browser")
        chromium.get_log("performance")
        chromium.get(path.as_uri())
        frames = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        chromium.execute_async_script(frames)
        return Page(chromium)

    return open_text
