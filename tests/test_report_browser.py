"""The report in a real browser: what is set in it costs what a run with the same `--set` costs, to the tick."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import vmmsim

from simulator.analysis.breakeven import break_even
from simulator.analysis.evaluate import Evaluator
from simulator.analysis.parameter import parameter
from simulator.report import live, tables
from simulator.report.reader import load_result
from simulator.report.sweep import write_sweep
from simulator.result import TotalsRow, UncertaintyRow, frame
from simulator.spec.build import load_experiment
from simulator.spec.library import root
from simulator.units import Clock, Cost

if TYPE_CHECKING:
    from browser import Page
    from selenium import webdriver

browser = pytest.importorskip("browser", reason="selenium is not installed", exc_type=ImportError)
pytestmark = pytest.mark.skipif(
    bool(browser.MISSING), reason=f"{browser.MISSING} not found: apt-get install chromium chromium-driver"
)

STILL = """
document: experiment
title: nothing waits
workloads:
  one:
    document: workload
    title: one
    events: [{user_compute: 20 us}, {syscall: 40}, {pte_modify: {count: 3, page: 7}}, {port_in: 1}, {tlb_flush_page: 4}]
  two:
    document: workload
    title: two
    vcpus: [{events: [{syscall: 30}, {cr8_write: 2}]}, {events: [{syscall: 3}, {cr8_write: 400}]}]
models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm]
baseline: native
plots: [slowdown]
"""
SET = "models.hardware-vmm.costs.vm_exit=700.5 cycles"
EVIL = "</script><b>\"'&$$x$$"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with browser.chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment in which nothing waits, and its result."""
    folder = tmp_path_factory.mktemp("still")
    (folder / "still.yaml").write_text(STILL)
    run(folder, "still.yaml", "--out", "out")
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    run(folder, str(root() / "experiments" / "recorded.yaml"), "--out", "out")
    return folder


def run(folder: Path, *arguments: str) -> list[dict[str, str]]:
    """Run vmmsim in a folder; return its totals."""
    done = vmmsim("run", *arguments, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, str]] = json.loads(done.stdout)["totals"]
    return rows


def command_of(page: Page, *more: str) -> list[str]:
    """Return the arguments after `vmmsim run` of the command that the page shows."""
    words = shlex.split(page.text("#command"))
    assert words[:2] == ["vmmsim", "run"]
    return [*words[2:], *more]


# --- totals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "action", "by"),
    [
        ("hardware-vmm", "vm_exit", -70),
        ("software-vmm", "enter_and_leave_translated_code", 45),
        ("native", "compute", 20),
        ("hardware-vmm", "guest_mode_cr8_write", 90),
    ],
)
def test_a_dragged_cost_gives_the_totals_that_a_run_with_it_prints(
    driver: webdriver.Chrome, still: Path, model: str, action: str, by: int
) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    before = page.totals()
    value = page.drag(model, action, by)
    path = f"models.{model}.costs.{action}"
    assert page.text("#setting-list code") == path
    unit = "ns" if action == "compute" else "cycles"
    setting = f"{path}={value} {unit}"
    assert setting in command_of(page)
    printed = run(still, "still.yaml", "--set", setting, "--out", "again", "--no-plots")
    shown = page.totals()
    assert shown != before
    assert [exact(shown[row["workload"], row["model"]]) for row in printed] == [
        (row["total_cycles"], row["busy_cycles"]) for row in printed
    ]
    grid = totals_of(still / "again")
    headings = [column.heading for column in grid.columns if column.heading != "relative low–high"]
    assert headings[-1] == "total low–high"
    assert [[row[heading] for heading in headings] for row in shown.values()] == [
        list(row[: len(headings)]) for row in grid.rows
    ]
    page.find("#exact").click()
    page.settle()
    assert [page.totals()[row["workload"], row["model"]]["total"] for row in printed] == [
        f"{row['total_seconds']} s" for row in printed
    ]
    page.find("#reset").click()
    page.find("#exact").click()
    page.settle()
    assert page.totals() == {key: {**row, **page_data(page.totals()[key])} for key, row in before.items()}
    assert page.errors() == []


def totals_of(out: Path) -> tables.Grid:
    """Return the totals of a result as its report has them."""
    result = load_result(out)
    frames = frame(result.totals, TotalsRow), frame(result.uncertainty, UncertaintyRow)
    return tables.ranked_totals_grid(*frames, result.baseline)


def exact(cells: dict[str, str]) -> tuple[str, str]:
    return cells["totalCycles"], cells["busyCycles"]


def page_data(cells: dict[str, str]) -> dict[str, str]:
    return {name: cells[name] for name in ("totalCycles", "busyCycles")}


def test_a_recorded_result_follows_three_costs_asks_for_nothing_and_is_small(
    driver: webdriver.Chrome, recorded: Path
) -> None:
    """What waits keeps its total, and says so; busy times are those of the replay whose command the page gives."""
    report = recorded / "out" / "report.html"
    assert report.stat().st_size < 5_000_000
    page = browser.Page(driver, report)
    before = page.totals()
    page.drag("hardware-vmm", "vm_exit", -60)
    page.drag("software-vmm", "build_shadow_root", 30)
    page.drag("nested-paging", "page_fault", 15)
    assert len(page.driver.find_elements("css selector", "#setting-list li")) == 3
    printed = run(recorded, *command_of(page, "--out", "again", "--no-plots"))
    shown = page.totals()
    for row in printed:
        cells, was = shown[row["workload"], row["model"]], before[row["workload"], row["model"]]
        assert cells["busyCycles"] == row["busy_cycles"]
        moved = row["model"] in ("hardware-vmm", "software-vmm", "nested-paging")
        assert cells["total"] == was["total"] + (" †" if moved else "")
        assert cells["busy"] == ("≈ " if moved else "") + tables.human_seconds(seconds(row, "busy_cycles"))
    assert page.find("#replay-note").is_displayed() and page.find("#recount-note").is_displayed()
    assert "rows wait for signals" in page.text("#replay-why")
    assert page.errors() == []
    addresses = page.requests()
    assert len(addresses) > 0, "the page itself is asked for"
    assert [url for url in addresses if not url.startswith(("file:", "data:"))] == []


def seconds(row: dict[str, str], name: str) -> Fraction:
    return Fraction(row[name]) * Fraction(row["total_seconds"]) / Fraction(row["total_cycles"])


def test_the_page_comes_with_the_texts_that_its_script_writes(driver: webdriver.Chrome, still: Path) -> None:
    grid = totals_of(still / "out")
    page = browser.Page(driver, still / "out" / "report.html")
    headings = [column.heading for column in grid.columns]
    assert [[row[heading] for heading in headings] for row in page.totals().values()] == [
        list(row) for row in grid.rows
    ]
    breakdowns = """return [...document.querySelectorAll("#breakdown ~ details tr, #breakdown ~ details h3")].map((each) =>
      each.cells ? [...each.cells].map((cell) => cell.textContent) : each.textContent)"""
    page.script("for (const each of document.querySelectorAll('#breakdown ~ details')) each.open = true")
    before = page.script(breakdowns)
    page.driver.execute_script("location.hash = arguments[0]", f"#set={SET}")
    page.settle()
    changed = page.script(breakdowns)
    assert changed != before
    page.find("#reset").click()
    page.settle()
    assert page.script(breakdowns) == before


# --- what is set ----------------------------------------------------------------------------------------------------


def test_a_cost_is_set_by_keyboard(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    slider = page.cost("hardware-vmm", "vm_exit", "[type=range]")
    slider.send_keys(browser.Keys.ARROW_RIGHT * 3)
    page.settle()
    assert slider.get_attribute("aria-valuetext") == "1990 cycles, 103 per cent of the run"
    field = page.cost("hardware-vmm", "vm_exit", "[type=text]")
    field.clear()
    field.send_keys("0.5 us", browser.Keys.TAB)
    page.settle()
    assert "models.hardware-vmm.costs.vm_exit=500 ns" in command_of(page)
    row = next(
        row for row in run(still, *command_of(page, "--out", "x", "--no-plots")) if row["model"] == "hardware-vmm"
    )
    assert page.totals()["one", "hardware-vmm"]["totalCycles"] == row["total_cycles"]
    field.clear()
    field.send_keys("-3", browser.Keys.TAB)
    page.settle()
    assert field.get_attribute("aria-invalid") == "true"
    assert "models.hardware-vmm.costs.vm_exit=500 ns" in command_of(page), "what is no cost changes nothing"
    assert field.get_property("value") == "-3", "and stays, to be mended"
    page.find("#reset").click()
    page.settle()
    assert (field.get_property("value"), field.get_attribute("aria-invalid")) == ("1931", None)


def test_a_link_carries_what_is_set(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(
        driver, still / "out" / "report.html", f"#set={SET.replace(' ', '%20')}&set=models.x.costs.y%3D1"
    )
    assert SET in command_of(page)
    assert "models.x.costs.y=1" in page.find("#refused").text
    printed = run(still, "still.yaml", "--set", SET, "--out", "again", "--no-plots")
    assert [exact(row) for row in page.totals().values()] == [(r["total_cycles"], r["busy_cycles"]) for r in printed]
    page.drag("software-vmm", "enter_and_leave_translated_code", 30)
    shown = page.totals()
    page.until("location.hash.includes('translated')")
    address = str(page.script("return location.hash"))
    again = browser.Page(driver, still / "out" / "report.html", address)
    assert again.totals() == shown
    again.find("#reset").click()
    again.until("location.hash === ''")
    assert not again.find("#settings").is_displayed()


def test_what_is_copied_can_be_pasted(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html", f"#set={SET.replace(' ', '%20')}")
    driver.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    for button, expected in (
        ("copy-flags", f"--set '{SET}'"),
        ("copy-command", f"vmmsim run still.yaml --set '{SET}'"),
    ):
        page.find(f"#{button}").click()
        page.until("document.getElementById('said').textContent.startsWith('Copied')")
        assert driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == expected


def test_a_cost_beyond_its_bounds_takes_the_bound_along(driver: webdriver.Chrome, still: Path) -> None:
    setting = "models.hardware-vmm.costs.validate_shadow_entry=9000 cycles"
    page = browser.Page(driver, still / "out" / "report.html", f"#set={setting.replace(' ', '%20')}")
    assert "models.hardware-vmm.costs.validate_shadow_entry.high=9000 cycles" in command_of(page)
    assert run(still, *command_of(page, "--out", "again", "--no-plots"))


SHARED = "shared by models"


def test_one_slider_moves_a_cost_in_all_models_that_share_it(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    value = page.drag(SHARED, "syscall", 40)
    setting = f"models.{{native,software-vmm,hardware-vmm}}.costs.syscall={value} cycles"
    assert [word for word in command_of(page) if "=" in word] == [setting]
    assert page.text("#setting-list code") == setting.partition("=")[0]
    for model in ("native", "software-vmm", "hardware-vmm"):
        assert page.cost(model, "syscall", "[type=text]").get_property("value") == value
    printed = run(still, *command_of(page, "--out", "again", "--no-plots"))
    shown = page.totals()
    assert [exact(shown[row["workload"], row["model"]]) for row in printed] == [
        (row["total_cycles"], row["busy_cycles"]) for row in printed
    ]
    alone = page.drag("hardware-vmm", "syscall", -30)
    assert [word for word in command_of(page) if "=" in word] == [
        f"models.native.costs.syscall={value} cycles",
        f"models.software-vmm.costs.syscall={value} cycles",
        f"models.hardware-vmm.costs.syscall={alone} cycles",
    ]
    shared = page.cost(SHARED, "syscall", "[type=text]")
    assert [shared.get_property(name) for name in ("value", "placeholder")] == ["", "several"]
    page.script("document.querySelector('.cost.set .undo').click()")
    page.settle()
    assert not page.find("#settings").is_displayed(), "its undo button is that of all"


def test_break_even_of_a_shared_cost_moves_both_times(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    path = "models.{native,software-vmm,hardware-vmm}.costs.compute"
    page.script(
        """const cost = document.getElementById("breakeven-cost");
        cost.value = arguments[0]; cost.dispatchEvent(new Event("change"))""",
        path,
    )
    page.settle()
    assert page.script("return document.getElementById('breakeven-cost').value") == path
    assert "It adds the same to both." in page.text("#breakeven-text")


def test_costs_that_differ_in_a_bound_or_a_source_are_not_shared(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    script = """
      const cost = (more) => ({cost: "5 cycles", path: "models.m.costs.a", mechanism: "x", source: "s", status: "assumed", ...more});
      const named = (name, more) => [name, {mhz: 1000, costs: {a: {...cost(more), path: `models.${name}.costs.a`}}, ...more.model}];
      const run = (model) => ({workload: "w", model, why_replay: "", why_recount: "", ticks: "0",
        cpus: [{waiting: "0", idle: "0", events: {syscall: "1"}, actions: {syscall: {a: "3"}}}]});
      const given = [["m", {}], ["n", {}], ["high", {high: "6 cycles"}], ["source", {source: "t"}], ["clock", {model: {mhz: 7}}]];
      const models = Object.fromEntries(given.map(([name, more]) => named(name, more)));
      const world = Pricing.load({models, runs: given.map(([name]) => run(name)), baseline: "m"});
      return world.shared.map(({path, parts, model}) => [path, parts.length, model])"""
    assert page.script(script) == [["models.{m,n}.costs.a", 2, "n"]]


# --- break-even -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workload", ["one", "two"])
@pytest.mark.parametrize("action", ["vm_exit", "guest_mode_cr8_write", "syscall"])
def test_break_even_is_that_of_the_command(driver: webdriver.Chrome, still: Path, workload: str, action: str) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    page.script(
        """const choose = (id, value) => {
          document.getElementById(id).value = value;
          document.getElementById(id).dispatchEvent(new Event("change"));
        };
        choose("workload", arguments[0]); choose("breakeven-cost", arguments[1])""",
        ["one", "two"].index(workload),
        f"models.hardware-vmm.costs.{action}",
    )
    page.settle()
    page.script("document.getElementById('rival').value = 'software-vmm'")
    page.script("document.getElementById('rival').dispatchEvent(new Event('change'))")
    page.settle()
    text = page.text("#breakeven-text")
    experiment = load_experiment(still / "still.yaml")
    moved = parameter(experiment, f"models.hardware-vmm.costs.{action}", ("0 cycles", "10000000 cycles"))
    found = break_even(Evaluator(experiment, workload, [moved]), ("hardware-vmm", "software-vmm"))
    assert found.why_replayed == ""
    thousandths = [round(crossing.low * 1000) for crossing in found.crossings]
    expected = [f"at {n // 1000:,}{f'.{n % 1000:03}'.rstrip('0').rstrip('.')} cycles" for n in thousandths]
    assert all(each in text for each in expected)
    assert text.startswith("None") == (not expected)


# --- the points of a sweep -------------------------------------------------------------------------------------------


VARIED = """
sweep:
  over:
    models.hardware-vmm.costs.vm_exit: 500, 1000 cycles
    models.hardware-vmm.mechanisms.vm_exits.vmcb_reads: [0, 10]
    models.software-vmm: [pentium4-672/software-vmm, lookahead/nested-paging]
"""


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("varied")
    (folder / "varied.yaml").write_text(STILL + VARIED)
    done = vmmsim("sweep", "varied.yaml", "--set", "models.native.costs.syscall=300 cycles", "--out", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def go_to(page: Page, path: str, place: int) -> None:
    """Move the slider of a path of the sweep to its n-th value."""
    (slider,) = page.driver.find_elements("css selector", f'#point input[aria-label="{path}"]')
    slider.send_keys(browser.Keys.HOME, browser.Keys.ARROW_RIGHT * place)
    page.settle()


def test_each_point_of_a_sweep_has_sliders_and_its_totals_are_those_of_its_command(
    driver: webdriver.Chrome, varied: Path
) -> None:
    page = browser.Page(driver, varied / "out" / "report.html")
    first = page.totals()
    assert [exact(row) for row in first.values()] == [
        (row["total_cycles"], row["busy_cycles"]) for row in run(varied, *command_of(page, "--out", "a", "--no-plots"))
    ]
    go_to(page, "models.hardware-vmm.costs.vm_exit", 1)
    page.drag("hardware-vmm", "vm_entry", 40)
    go_to(page, "models.software-vmm", 1)
    go_to(page, "models.hardware-vmm.mechanisms.vm_exits.vmcb_reads", 1)
    printed = run(varied, *command_of(page, "--out", "a", "--no-plots"))
    shown = page.totals()
    assert shown != first
    assert [exact(shown[row["workload"], row["model"]]) for row in printed] == [
        (row["total_cycles"], row["busy_cycles"]) for row in printed
    ]
    page.find("#reset").click()
    page.settle()
    run(varied, *command_of(page, "--out", "a", "--no-plots"))
    grid = totals_of(varied / "a")
    headings = [column.heading for column in grid.columns if "low–high" not in column.heading]
    assert [[row[heading] for heading in headings] for row in page.totals().values()] == [
        list(row[: len(headings)]) for row in grid.rows
    ]
    page.script("for (const each of document.querySelectorAll('#breakdown ~ details')) each.open = true")
    page.settle()
    summary = "[...document.querySelectorAll('#breakdown ~ details h3 .busy')].map((each) => each.textContent)"
    busy = headings.index("busy")
    assert page.script(f"return {summary}") == [row[busy] for row in grid.rows]
    address = str(page.script("return new Promise((done) => setTimeout(() => done(location.hash), 500))"))
    assert address.startswith("#point=models.hardware-vmm.costs.vm_exit%3D1000")
    again = browser.Page(driver, varied / "out" / "report.html", address)
    assert again.totals() == page.totals()
    wrong = browser.Page(driver, varied / "out" / "report.html", "#point=seed%3D9")
    assert wrong.text("#refused") == "The link sets what this result does not have: the point seed=9"
    assert wrong.totals() == first
    assert again.errors() == []


def test_a_sweep_with_too_many_points_says_which_can_be_chosen(
    driver: webdriver.Chrome, varied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = load_result(varied / "out")
    whole = len(json.dumps(live.live_data(result)))
    monkeypatch.setattr(live, "MOST_BYTES", whole - 1)
    write_sweep(result, varied / "fewer", experiment="varied.yaml")
    page = browser.Page(driver, varied / "fewer" / "report.html")
    assert page.script("return document.querySelectorAll('#point input:enabled').length") == 2, "each second point"
    note = page.text("#totals ~ .note")
    assert note.startswith("Sliders: 4 of 8 points can be chosen here, since all would make the page too large.")
    last = result.metadata["sweep"]["points"][-1]["point"]
    command = shlex.split(note.partition("has them: vmmsim run ")[2])
    assert command == [
        "varied.yaml",
        *(w for text in (*result.metadata["overrides"], *last.split("; ")) for w in ("--set", text)),
    ]
    bare = replace(result, replays=(), breakdown=())
    write_sweep(bare, varied / "bare")
    text = (varied / "bare" / "report.html").read_text()
    assert "of 8 points this sweep keeps totals alone, unless --breakdown asks for more" in text
    assert "<script" not in text


# --- numbers --------------------------------------------------------------------------------------------------------


def values() -> list[Fraction]:
    """Return numbers of all sizes and signs, and ties between two roundings."""
    drawn = random.Random(1)
    parts = [drawn.randrange(1, 10 ** drawn.randrange(1, 30)) for _ in range(800)]
    fractions = [Fraction(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    ties = [Fraction(2 * n + 1, 2) * Fraction(10) ** e for n in (99, 100, 124, 125, 999, 9995) for e in (-5, -2, 0, 3)]
    return [*fractions, *ties, Fraction(0), Fraction(1), Fraction(999, 1000), Fraction(1000), Fraction(10**30)]


def in_page(page: Page, function: str, given: Sequence[Fraction]) -> list[Any]:
    pairs = [[str(value.numerator), str(value.denominator)] for value in given]
    found: list[Any] = page.script(
        f"return arguments[0].map(([n, d]) => ({function})({{n: BigInt(n), d: BigInt(d)}}))", pairs
    )
    return found


def test_numbers_are_written_as_the_tables_write_them(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    given = values()
    assert in_page(page, "Exact.seconds", given) == [tables.human_seconds(value) for value in given]
    assert in_page(page, "Exact.count", given) == [tables.human_count(value) for value in given]
    assert in_page(page, "Exact.ratio", given) == [tables.human_ratio(value) for value in given]
    whole = [Fraction(value.numerator) for value in given]
    clock = Clock(3800)
    ticks = "(value) => Exact.exactSeconds(value.n, 3800n)"
    assert in_page(page, ticks, whole) == [clock.seconds(value.numerator) for value in whole]
    rounded = in_page(page, "(value) => String(Exact.round(value))", given)
    assert rounded == [str(round(value)) for value in given]


@pytest.mark.parametrize(
    "text", ["1931 cycles", "11.4 cycles", ".46 us", "1e3 cycles", "2.5e-3 ms", "1_000 ns", "3 ps", "7 kcycles", "0 s"]
)
def test_costs_are_read_as_the_yaml_reads_them(driver: webdriver.Chrome, still: Path, text: str) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    cost = Cost.parse(text)
    script = (
        "const cost = Exact.parseCost(arguments[0]); return [String(Exact.ticks(cost, 3333n)), Exact.costText(cost)]"
    )
    assert page.script(script, text) == [str(cost.ticks(Clock(3333))), str(cost)]


@pytest.mark.parametrize("text", ["", "cycles", "-1 cycles", "1.2345 cycles", "3 apples", "1 MHz", "1 2"])
def test_what_is_no_cost_is_refused_as_the_yaml_refuses_it(driver: webdriver.Chrome, still: Path, text: str) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    with pytest.raises(ValueError):
        Cost.parse(text)
    assert page.script("return Exact.parseCost(arguments[0], 'cycles')", text) is None


def test_sums_beyond_what_a_number_holds_are_exact(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    n, cost = 10**18 + 1, Decimal("20000.001")
    script = """
      const cost = {cost: `${arguments[1]} cycles`, path: "p", mechanism: "m", source: "s", status: "assumed"};
      const cpu = {waiting: "0", idle: "0", events: {syscall: "1"}, actions: {syscall: {a: arguments[0]}}};
      const run = {workload: "w", model: "m", why_replay: "", why_recount: "", ticks: "0", cpus: [cpu]};
      const world = Pricing.load({models: {m: {mhz: 1000, costs: {a: cost}}}, runs: [run], baseline: null});
      return String(Pricing.priceAll(world, (each) => each.asRun)[0].ticks.total)"""
    assert page.script(script, str(n), str(cost)) == str(n * 20_000_001)


# --- names, colours -------------------------------------------------------------------------------------------------


def test_names_in_data_are_names_and_nothing_else(driver: webdriver.Chrome, tmp_path: Path) -> None:
    model = {"document": "cost-model", "title": EVIL, "extends": "pentium4-672/hardware-vmm"}
    model["costs"] = {"syscall": {"cost": "7 cycles", "source": EVIL, "status": "assumed"}}  # type: ignore[assignment]
    work = {"document": "workload", "title": EVIL, "events": [{"syscall": 5}, {"port_in": 2}]}
    experiment = {"document": "experiment", "title": EVIL, "description": EVIL, "workloads": {EVIL: work}}
    more = {"models": {"native": "pentium4-672/native", EVIL: model}, "baseline": "native", "plots": ["slowdown"]}
    (tmp_path / "evil '$x.yaml").write_text(json.dumps({**experiment, **more}))
    run(tmp_path, "evil '$x.yaml", "--out", "out")
    page = browser.Page(driver, tmp_path / "out" / "report.html")
    page.drag(EVIL, "syscall", 40)
    assert (EVIL, EVIL) in page.totals()
    assert page.script("return document.querySelectorAll('b').length") == 0
    printed = run(tmp_path, *command_of(page, "--out", "again", "--no-plots"))
    assert [exact(row) for row in page.totals().values()] == [(r["total_cycles"], r["busy_cycles"]) for r in printed]
    address = page.script("return new Promise((done) => setTimeout(() => done(location.hash), 500))")
    again = browser.Page(driver, tmp_path / "out" / "report.html", str(address))
    assert again.totals() == page.totals()
    assert again.errors() == []
    assert [url for url in again.requests() if not url.startswith(("file:", "data:"))] == []


def test_plots_have_the_colours_of_the_page(driver: webdriver.Chrome, still: Path) -> None:
    page = browser.Page(driver, still / "out" / "report.html")
    labels = """
      const inside = (node) => [node, ...(node.shadowRoot ? [...node.shadowRoot.querySelectorAll("*")].flatMap(inside) : [])];
      const texts = [...document.querySelectorAll(".plot *")].flatMap(inside).filter((each) => each.tagName === "text");
      const fills = texts.map((each) => each.getAttribute("fill")).filter((fill) => fill && fill !== "none");
      const pen = document.createElement("canvas").getContext("2d");
      return [...new Set(fills.map((fill) => { pen.fillStyle = fill; return pen.fillStyle; }))]"""
    media = "Emulation.setEmulatedMedia"
    light = page.script(labels)
    driver.execute_cdp_cmd(media, {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    page.settle()
    dark = page.script(labels)
    driver.execute_cdp_cmd(media, {"features": []})
    assert (light, dark) == (["#1b1f24"], ["#e6e9ed"])


def test_names_and_values_beside_bars_are_whole_in_a_narrow_window(driver: webdriver.Chrome, tmp_path: Path) -> None:
    names = ["native", *(f"machines/of-2006/{kind}-vmm-with-a-long-name" for kind in ("software", "hardware"))]
    models = "".join(
        f"  {name}: pentium4-672/{name.partition('-vmm')[0].rpartition('/')[2]}-vmm\n" for name in names[1:]
    )
    (tmp_path / "e.yaml").write_text(
        "document: experiment\ntitle: long names\nworkloads: [nanobenchmarks/pte-set]\nbaseline: native\n"
        f"models:\n  native: pentium4-672/native\n{models}"
    )
    run(tmp_path, "e.yaml", "--out", "out")
    size = driver.get_window_size()
    driver.set_window_size(500, 900)
    try:
        page = browser.Page(driver, tmp_path / "out" / "report.html")
        page.settle()
        texts = page.script(
            """const found = [];
            const walk = (node, edge) => {
              if (node.localName === "svg") edge = node.getBoundingClientRect();
              if (node.localName === "text") {
                const box = node.getBoundingClientRect();
                found.push([node.textContent, box.left - edge.left, edge.right - box.right]);
              }
              for (const child of [...(node.shadowRoot?.children || []), ...node.children]) walk(child, edge);
            };
            walk(document.getElementById("slowdown-plot"));
            return found;"""
        )
    finally:
        driver.set_window_size(size["width"], size["height"])
    shown = "".join(text for text, _, _ in texts)
    assert all(name.replace(" ", "") in shown.replace(" ", "") for name in names)
    assert any(text.endswith("×") for text, _, _ in texts)
    assert [text for text, left, right in texts if text and min(left, right) < 0] == []
    assert page.errors() == []


def test_what_costs_nothing_by_definition_has_no_slider(driver: webdriver.Chrome, tmp_path: Path) -> None:
    touch = STILL.replace("{syscall: 40}", "{syscall: 40}, {first_touch: 3}")
    (tmp_path / "e.yaml").write_text(touch)
    run(tmp_path, "e.yaml", "--out", "out")
    page = browser.Page(driver, tmp_path / "out" / "report.html")
    assert page.script("return document.getElementById('live-data').textContent.includes('no_cost')")
    assert page.script("return document.querySelectorAll('.cost[data-action=no_cost]').length") == 0
    assert page.errors() == []
