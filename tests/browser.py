"""A real browser without a screen: Chromium, with a report in it, and a log of all that it says and asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

__all__ = ["MISSING", "Keys", "Page", "chromium"]
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = ", ".join(name for name, found in (("chromium", BROWSER), ("chromedriver", DRIVER)) if found is None)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1366,900",
    "about:blank",
)
_SECONDS = 60  # how long a busy machine may take to draw a page


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Start the browser with a fresh profile; it keeps what the page logs and asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for flag in (f"--user-data-dir={profile}", *_FLAGS):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A report in the browser."""

    def __init__(self, driver: webdriver.Chrome, path: Path, fragment: str = "") -> None:
        self.driver = driver
        driver.get("about:blank")
        for log in ("browser", "performance"):
            self._log(log)  # what came before is not of this page
        driver.get(path.as_uri() + fragment)
        self.until("document.documentElement.dataset.ready !== undefined")

    def _log(self, name: str) -> list[dict[str, Any]]:
        """Return what a log of the browser has got since it was read last."""
        read: Callable[[str], list[dict[str, Any]]] = self.driver.get_log
        return read(name)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.script("return document.querySelector(arguments[0]).textContent", selector))

    def until(self, condition: str) -> None:
        WebDriverWait(self.driver, _SECONDS).until(lambda _: self.script(f"return {condition}"), condition)

    def settle(self) -> None:
        """Wait until what was set is drawn: what is due in the next frame has run in the one after it."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))"
        )

    def open_model(self, model: str) -> None:
        """Fold all models but one, so that its sliders are in reach."""
        self.script(
            "for (const each of document.querySelectorAll('details.model'))"
            " each.open = each.querySelector('.label').textContent === arguments[0]",
            model,
        )

    def cost(self, model: str, action: str, part: str) -> WebElement:
        """Return the slider (``[type=range]``) or the field (``[type=text]``) of a cost."""
        self.open_model(model)
        row = next(
            each
            for each in self.driver.find_elements(By.CSS_SELECTOR, f'.cost[data-action="{action}"]')
            if each.get_dom_attribute("data-model") == model
        )
        self.script("arguments[0].scrollIntoView({block: 'center'})", row)
        return row.find_element(By.CSS_SELECTOR, f"input{part}")

    def drag(self, model: str, action: str, by: int) -> str:
        """Drag a slider's thumb from the middle by some pixels; return the value in the field beside it."""
        slider = self.cost(model, action, "[type=range]")
        thumb = 14
        place = self.script(
            "const s = arguments[0]; return (s.value / s.max - 0.5) * (s.getBoundingClientRect().width - arguments[1])",
            slider,
            thumb,
        )
        chain = ActionChains(self.driver).move_to_element_with_offset(slider, round(place), 0)
        chain.click_and_hold().move_by_offset(by, 0).release().perform()
        self.settle()
        field = self.cost(model, action, "[type=text]")
        return str(field.get_property("value"))

    def totals(self) -> dict[tuple[str, str], dict[str, str]]:
        """Return the rows of the totals by workload and model: texts by heading, and exact cycles."""
        rows = self.script(
            """const table = document.getElementById("totals-table");
            const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
            return [...table.tBodies[0].rows].map((row) => ({
              ...Object.fromEntries(headings.map((heading, i) => [heading, row.cells[i].textContent])), ...row.dataset}))"""
        )
        return {(row["workload"], row["model"]): row for row in rows}

    def errors(self) -> list[str]:
        """Return what the page logged as a warning or an error."""
        return [entry["message"] for entry in self._log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Return the addresses of all that the page asked for."""
        messages = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        sent: Iterator[Mapping[str, Any]] = (
            message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"
        )
        return [str(parameters["request"]["url"]) for parameters in sent]
