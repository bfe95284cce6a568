"""Mechanisms with state against closed forms, thresholds on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import K

from simulator.errors import ModelError
from simulator.mechanisms import BY_NAME, MECHANISMS, Chain, Event, Mechanism
from simulator.mechanisms.adaptive_translation import AdaptiveOperation
from simulator.mechanisms.hybrid import HybridParameters
from simulator.mechanisms.no_cost import NoCost, NoCostParameters
from simulator.mechanisms.page_walk import PageWalkParameters, walk_references
from simulator.spec.build import load_model
from simulator.spec.library import root


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.name)
def test_every_mechanism_says_what_it_reads_keeps_and_emits(mechanism: type[Mechanism]) -> None:
    text = mechanism.__doc__ or ""
    assert "Reads" in text or "Answers" in text
    assert "State" in text
    assert "Emits" in text


def build(**parameters: Mapping[str, Any]) -> Chain:
    """A chain of mechanisms by name, in the order in which models have them."""
    return Chain(BY_NAME[name](BY_NAME[name].schema(**parameters[name])) for name in BY_NAME if name in parameters)


def event(kind: str, count: int = 1, **cells: int) -> Event:
    columns = {"vcpu": 0, "task": -1, "space": -1, "page": -1, "site": -1, "size": -1, "device": -1, "number": -1}
    return Event(kind=K[kind], count=count, **{**columns, **cells})


def taken(chain: Chain, *events: Event) -> Counter[str]:
    """What leaves the chain while it serves some events."""
    counts: Counter[str] = Counter()
    for one in events:
        chain.serve(one, lambda action, n: counts.update({action: n}))
    return +counts


# Chains.


def test_actions_go_down_and_are_multiplied() -> None:
    chain = build(
        shadow_paging={},
        vm_exits={"vmcb_reads": 10, "handlers": {"hidden_fault": {"fill": 1}, "true_fault": {"forward": 1}}},
    )
    assert taken(chain, event("touch", 3, space=1, page=7)) == {
        "build_shadow_root": 1, "vm_exit": 3, "vmcb_read": 30, "vm_entry": 3, "fill": 3,
    }  # fmt: skip
    assert taken(chain, event("page_fault", 2)) == {"vm_exit": 2, "vmcb_read": 20, "vm_entry": 2, "forward": 2}


def test_an_answer_takes_the_place_of_a_price_and_a_watcher_does_not() -> None:
    chain = build(
        vm_exits={"vmcb_reads": 0, "handlers": {"cpuid": {"handle": 1}}}, tlb={"entries": 4, "emptied_by": ["vm_exit"]}
    )
    assert {action for _, action in chain.leaving()} == {
        "vm_exit",
        "vmcb_read",
        "vmcb_write",
        "vm_entry",
        "handle",
        "page_walk",
    }
    assert chain.unfold(K["cpuid"]) == ({"vm_exit": 1, "vm_entry": 1, "handle": 1}, ["tlb"])
    walked = build(tlb={"entries": 4}, page_walk={"nested_levels": 4})
    assert taken(walked, event("tlb_miss", 5)) == {"walk_reference": 5 * 24}


def test_recipes_are_unfolded_through_all_answers() -> None:
    chain = build(
        trap_and_emulate={"handlers": {"cpuid": {"reflect": 2}}},
        direct_execution={"events": {"cpuid": {"cpuid": 1}}},
    )
    assert chain.unfold(K["cpuid"]) == ({"trap": 1, "reflect": 2, "cpuid": 1}, [])


def test_a_mechanism_that_waits_for_what_never_comes_is_found() -> None:
    chain = build(shadow_paging={}, vm_exits={"handlers": {"hiden_fault": {"fill": 1}}})
    assert [(mechanism.name, action) for mechanism, action, _ in chain.deaf()] == [("vm_exits", "hiden_fault")]


def test_no_mechanism_can_take_an_action_that_it_does_not_declare() -> None:
    class Sly(NoCost):
        def serve(self, event: Event, emit: Any) -> None:
            emit("surprise", 1)

    chain = Chain([Sly(NoCostParameters(events={"rdtsc": "for this test only"}))])
    with pytest.raises(ModelError, match="'no_cost', serving 'rdtsc', took 1 of 'surprise'"):
        taken(chain, event("rdtsc"))


# Page walks and the TLB.


def test_a_walk_of_four_and_four_levels_takes_24_references() -> None:
    assert walk_references(4, 4) == 24
    for n in range(1, 6):
        assert walk_references(n, 0) == n
        for m in range(1, 6):
            assert walk_references(n, m) == n * (m + 1) + m


@pytest.mark.parametrize(
    ("parameters", "references"),
    [
        ({"nested_levels": 4}, 24),
        ({"nested_levels": 4, "nested_page": "2 MiB"}, 4 * 3 + 4 + 3),
        ({"nested_levels": 4, "guest_page": "2 MiB", "nested_page": "2 MiB"}, 3 * 3 + 3 + 3),
        ({"nested_levels": 4, "guest_page": "1 GiB", "nested_page": "1 GiB"}, 2 * 2 + 2 + 2),
        ({"nested_levels": 4, "guest_levels_cached": 3, "nested_levels_cached": 3}, 1 + 1 + 1),
        ({"nested_levels": 4, "guest_levels_cached": 3, "nested_levels_cached": 2}, 1 * 2 + 1 + 2),
        ({"guest_levels_cached": 2}, 2),
        ({"guest_levels": 2}, 2),
    ],
)
def test_large_pages_and_walk_caches_shorten_walks(parameters: dict[str, Any], references: int) -> None:
    assert PageWalkParameters(**parameters).references == references


@given(st.integers(1, 40), st.integers(1, 60), st.integers(2, 5))
def test_a_working_set_that_fits_misses_once_and_one_that_does_not_misses_always(
    entries: int, pages: int, times: int
) -> None:
    counts = taken(build(tlb={"entries": entries}), *[event("touch", pages, space=1, page=9)] * times)
    assert counts["page_walk"] == (pages if pages <= entries else pages * times)


@pytest.mark.parametrize(("tagged", "walks"), [(False, 3 * 8), (True, 2 * 8)])
def test_a_switch_empties_a_tlb_without_tags(tagged: bool, walks: int) -> None:
    chain = build(tlb={"entries": 64, "tagged": tagged})
    there, back = event("space_switch", space=2), event("space_switch", space=1)
    touch = event("touch", 8)
    assert taken(chain, back, touch, there, touch, back, touch)["page_walk"] == walks


def test_flushes_of_one_page_of_all_and_of_a_space_that_ends() -> None:
    chain = build(tlb={"entries": 64, "tagged": True})
    run = [event("space_switch", space=1), event("touch", 8, page=100)]
    assert taken(chain, *run) == {"page_walk": 8}
    assert taken(chain, event("tlb_flush_page", 2, space=1, page=101), run[1]) == {"page_walk": 2}
    assert taken(chain, event("tlb_flush_all"), run[1]) == {"page_walk": 8}
    assert taken(chain, event("space_destroy", space=1), run[1]) == {"page_walk": 8}


def test_each_virtual_cpu_has_a_tlb_of_its_own() -> None:
    chain = build(tlb={"entries": 64})
    touch = event("touch", 4, space=1, page=5)
    assert taken(chain, touch, event("touch", 4, vcpu=1, space=1, page=5), touch) == {"page_walk": 8}


# Shadow paging.

RUNS = event("space_switch", space=1)
SHADOW = event("touch", 1, space=1, page=512)  # shadows the table of pages 512 to 1023 of space 1


def test_a_write_to_a_table_without_a_shadow_is_native() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    for name in ("pte_modify", "pte_clear", "pte_set"):
        assert taken(chain, event(name, 5, space=1, page=1019)) == {f"traced_{name}": 5}
        assert taken(chain, event(name, 5, space=1, page=1024)) == {name: 5}
        assert taken(chain, event(name, 5, space=2, page=512)) == {name: 5}


def test_writes_without_a_page_are_traced_once_the_space_has_run() -> None:
    chain = build(shadow_paging={})
    assert taken(chain, event("pte_set", 7, space=3)) == {"pte_set": 7}
    taken(chain, event("space_switch", space=3), event("touch", 2))
    assert taken(chain, event("pte_set", 7, space=3)) == {"traced_pte_set": 7}


def test_a_page_faults_hidden_once() -> None:
    chain = build(shadow_paging={})
    touch = event("touch", 10, page=0)
    assert taken(chain, RUNS, touch, touch) == {"switch_space": 1, "build_shadow_root": 1, "hidden_fault": 10}


@pytest.mark.parametrize(
    ("eager", "expected"), [(True, {"traced_pte_set": 4}), (False, {"traced_pte_set_only": 4, "hidden_fault": 4})]
)
def test_eager_installation_saves_hidden_faults(eager: bool, expected: dict[str, int]) -> None:
    chain = build(shadow_paging={"eager_install": eager})
    taken(chain, RUNS, SHADOW)
    assert taken(chain, event("pte_set", 4, page=600), event("touch", 4, page=600)) == expected


def test_a_cleared_entry_faults_hidden_when_it_is_touched_again() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    assert taken(chain, event("pte_clear", 1, page=512), SHADOW) == {"traced_pte_clear": 1, "hidden_fault": 1}


def test_a_true_fault_is_followed_by_a_hidden_one_where_its_table_has_no_shadow() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    inside = [event("page_fault", page=700), event("pte_set", page=700)]
    outside = [event("page_fault", page=9000), event("pte_set", page=9000), event("touch", page=9000)]
    assert taken(chain, *inside) == {"true_fault": 1, "traced_pte_set": 1}
    assert taken(chain, *outside) == {"true_fault": 1, "pte_set": 1, "hidden_fault": 1}


@pytest.mark.parametrize("repair", ["pte_set", "pte_modify"])
def test_an_access_that_faulted_finds_no_shadow_entry_whatever_the_shadow_held_before(repair: str) -> None:
    """Entries cleared at pages that nobody told, and entries that forbid the access, let nothing through either."""
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW)
    again = [event("page_fault", page=512), event(repair, page=512)]
    assert taken(chain, *again) == {"true_fault": 1, "drop_trace": 1, repair: 1, "hidden_fault": 1}
    assert taken(chain, event("pte_clear"), *again)["hidden_fault"] == 1
    assert taken(chain, SHADOW) == {}


@pytest.mark.parametrize("eager", [True, False])
def test_a_traced_write_that_mends_a_fault_leaves_its_entry_in_the_shadow(eager: bool) -> None:
    """The upgrade of a page copied on a write: the VMM follows it, and the access made again goes through."""
    chain = build(shadow_paging={"eager_install": eager})
    taken(chain, RUNS, SHADOW)
    upgrade = [event("page_fault", 3, page=600), event("pte_modify", 2, page=600)]
    assert taken(chain, *upgrade) == {"true_fault": 3, "traced_pte_modify": 2}
    assert taken(chain, event("touch", 2, page=600)) == {}
    assert taken(chain, event("touch", page=602)) == {"hidden_fault": 1}


@pytest.mark.parametrize("repair", ["pte_set", "pte_modify"])
def test_a_fault_that_a_traced_write_mended_is_done_with(repair: str) -> None:
    """What is written there later, where the shadow does not follow, mends no access."""
    chain = build(shadow_paging={"eager_install": False})
    taken(chain, RUNS, SHADOW, event("page_fault", page=512), event(repair, page=512))
    assert taken(chain, event("pte_set", page=512)) == {"traced_pte_set_only": 1}
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW, event("page_fault", page=512), event(repair, page=512))
    taken(chain, *[event("space_switch", space=space) for space in range(2, 18)], RUNS)
    assert taken(chain, event("pte_set", page=512)) == {"pte_set": 1}


@pytest.mark.parametrize(("first", "count", "hidden"), [(511, 1, 1), (511, 2, 0), (512, 1, 0), (513, 1, 1)])
def test_a_fault_is_done_with_when_its_page_is_touched(first: int, count: int, hidden: int) -> None:
    """Whatever mended it, a signal's handler or a write without a page; to change its protection later is no mending."""
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, event("touch", 3, page=511), event("page_fault", page=512))
    assert taken(chain, event("touch", count, page=first)) == {}
    assert taken(chain, event("pte_modify", page=512))["hidden_fault"] == hidden


@pytest.mark.parametrize("elsewhere", [{"vcpu": 1, "space": 1}, {"space": 2}])
def test_a_touch_by_another_virtual_cpu_or_in_another_space_is_no_retry(elsewhere: dict[str, int]) -> None:
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW, event("page_fault", page=512), event("touch", page=512, **elsewhere))
    assert taken(chain, event("pte_modify", page=512))["hidden_fault"] == 1


def test_of_several_faults_those_up_to_a_touched_page_are_done_with() -> None:
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, event("touch", 8, page=512), event("page_fault", 4, page=512), event("touch", page=513))
    assert taken(chain, event("pte_modify", 8, page=512))["hidden_fault"] == 2
    assert taken(chain, event("pte_modify", 8, page=512))["hidden_fault"] == 0


def test_a_fault_that_was_mended_is_not_mended_again() -> None:
    """Where a row of faults is mended page by page, each of them takes one hidden fault."""
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW, event("page_fault", 3, page=512))
    mended = [taken(chain, event("pte_set", page=page))["hidden_fault"] for page in (512, 512, 513, 512, 514, 514)]
    assert mended == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("dead", "hidden"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("vcpu", [0, 1])
def test_a_fault_in_a_dead_space_is_none_of_the_next_with_its_number(dead: int, hidden: int, vcpu: int) -> None:
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW, event("page_fault", page=512), event("space_destroy", vcpu=vcpu, space=dead))
    assert taken(chain, event("pte_set", page=512))["hidden_fault"] == hidden


def test_a_shadow_root_found_again_costs_no_rebuild() -> None:
    """n spaces in turn: all are found again if as many roots are kept, none if one fewer is."""
    spaces, rounds = 4, 6
    turns = [event("space_switch", space=space) for space in range(spaces)] * rounds
    kept = taken(build(shadow_paging={"cached_roots": spaces}), *turns)
    assert kept == {
        "switch_space": spaces * rounds,
        "build_shadow_root": spaces,
        "reload_shadow_root": spaces * (rounds - 1),
    }
    short = taken(build(shadow_paging={"cached_roots": spaces - 1}), *turns)
    built = spaces * rounds
    assert short == {"switch_space": built, "build_shadow_root": built, "free_shadow_root": built - (spaces - 1)}


def test_tear_down_frees_the_shadow_and_the_number_can_be_used_again() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    assert taken(chain, event("space_destroy", space=1)) == {"free_shadow_root": 1}
    assert taken(chain, event("space_destroy", space=1)) == {}
    assert taken(chain, RUNS, SHADOW) == {"switch_space": 1, "build_shadow_root": 1, "hidden_fault": 1}


@pytest.mark.parametrize(("recycled", "traced"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_tables_of_a_dead_space_stay_traced_when_a_new_space_takes_them(recycled: int, traced: int) -> None:
    chain = build(shadow_paging={"recycled_tables": recycled})
    taken(chain, event("space_switch", space=5), event("touch", page=0), event("touch", page=512))
    taken(chain, event("space_destroy", space=5))
    writes = [event("pte_set", 3, space=6, page=512 * table) for table in range(4)]
    assert taken(chain, *writes) == +Counter({"traced_pte_set": 3 * traced, "pte_set": 3 * (4 - traced)})
    hidden = taken(chain, event("space_switch", space=6), *[event("touch", 3, page=512 * table) for table in range(4)])
    assert hidden["hidden_fault"] == 3 * (4 - traced), "what was installed eagerly does not fault"


def test_a_row_of_writes_over_two_tables_is_served_table_by_table() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    assert taken(chain, event("pte_modify", 300, page=900)) == {"traced_pte_modify": 124, "pte_modify": 176}


def test_several_faults_of_one_row_are_all_made_again() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    faults = [event("page_fault", 3, page=9215), event("pte_set", 3, page=9215)]
    assert taken(chain, *faults) == {"true_fault": 3, "pte_set": 2, "traced_pte_set": 1, "hidden_fault": 2}


def test_of_the_entries_set_around_a_fault_one_is_touched() -> None:
    chain = build(shadow_paging={})
    taken(chain, RUNS, SHADOW)
    around = [event("page_fault", page=9000), event("pte_set", 16, page=9000)]
    assert taken(chain, *around) == {"true_fault": 1, "pte_set": 16, "hidden_fault": 1}


def test_the_shadow_of_a_space_that_runs_is_never_dropped() -> None:
    chain = build(shadow_paging={"cached_roots": 1})
    first, second = event("space_switch", space=1), event("space_switch", vcpu=1, space=2)
    assert taken(chain, first, second, first, second)["build_shadow_root"] == 2


@pytest.mark.parametrize(("pages", "violations"), [(1, 1), (512, 1), (513, 2)])
def test_a_nested_violation_maps_as_much_as_a_host_page_holds(pages: int, violations: int) -> None:
    chain = build(nested_paging={"pages_per_violation": 512})
    rows = [event("first_touch", pages), event("pte_set", pages)]
    assert taken(chain, *rows)["nested_violation"] == violations


@pytest.mark.parametrize(("prevalidated", "validated"), [(0, 0), (2, 2), (3, 3), (4, 3)])
def test_a_reload_validates_as_many_entries_as_there_are_at_most(prevalidated: int, validated: int) -> None:
    chain = build(shadow_paging={"prevalidated": prevalidated})
    taken(chain, RUNS, event("touch", 3), event("space_switch", space=2))
    assert taken(chain, RUNS)["validate_shadow_entry"] == validated


def test_a_table_in_use_without_a_shadow_is_never_taken_for_a_recycled_one() -> None:
    chain = build(shadow_paging={"recycled_tables": 8})
    write = event("pte_set", 50, space=1, page=0)
    assert taken(chain, write) == {"pte_set": 50}
    taken(chain, event("space_switch", space=5), event("touch", page=0), event("space_destroy", space=5))
    assert taken(chain, event("pte_set", 50, space=1, page=100)) == {"pte_set": 50}
    assert taken(chain, event("pte_set", 50, space=1, page=512)) == {"traced_pte_set": 50}


def test_a_table_whose_trace_was_dropped_is_not_recycled_as_traced() -> None:
    chain = build(shadow_paging={"recycled_tables": 8, "coherency": "resync"})
    taken(chain, RUNS, SHADOW, event("pte_clear", 1, page=512), event("space_destroy", space=1))
    assert taken(chain, event("pte_set", 9, space=2, page=512)) == {"pte_set": 9}


def test_resync_of_a_space_that_runs_for_the_first_time() -> None:
    chain = build(shadow_paging={"recycled_tables": 8, "coherency": "resync"})
    taken(chain, RUNS, SHADOW, event("space_destroy", space=1))
    assert taken(chain, event("pte_set", 9, space=2, page=512)) == {"drop_trace": 1, "pte_set": 9}
    assert taken(chain, event("space_switch", space=2))["resync_shadow_entry"] == 9


def test_resync_drops_a_trace_once_and_pays_at_the_reload() -> None:
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW)
    write = event("pte_modify", 3, page=600)
    assert taken(chain, write, write) == {"drop_trace": 1, "pte_modify": 6}
    assert taken(chain, RUNS) == {"switch_space": 1, "reload_shadow_root": 1, "resync_shadow_entry": 6}
    assert taken(chain, write, event("tlb_flush_all"), write) == {
        "drop_trace": 2,
        "pte_modify": 6,
        "resync_shadow_entry": 3,
    }


def test_a_flush_of_pages_repairs_their_entries_and_brings_no_trace_back() -> None:
    chain = build(shadow_paging={"coherency": "resync"})
    taken(chain, RUNS, SHADOW)
    write, flush = event("pte_modify", 3, page=600), event("tlb_flush_page", page=600)
    assert taken(chain, write, flush, write) == {"drop_trace": 1, "pte_modify": 6, "resync_shadow_entry": 1}
    assert taken(chain, event("tlb_flush_page", 9, page=600))["resync_shadow_entry"] == 5, "no more than are stale"
    assert taken(chain, write, RUNS) == {
        "pte_modify": 3, "switch_space": 1, "reload_shadow_root": 1, "resync_shadow_entry": 3,
    }  # fmt: skip


# Binary translation.


def adaptive(**parameters: Any) -> Chain:
    form = AdaptiveOperation(
        trapping={"trap": 1}, adapted={"callout": 1}, innocent="pte_modify", adapted_innocent={"check": 1}
    )
    return build(shadow_paging={}, adaptive_translation={"operations": {"traced_pte_modify": form}, **parameters})


@given(st.integers(1, 6), st.integers(1, 20), st.integers(1, 5))
def test_n_writes_at_a_site_take_k_traps_one_retranslation_and_the_rest_callouts(k: int, n: int, rows: int) -> None:
    chain = adaptive(guilty_after=k)
    taken(chain, RUNS, SHADOW)
    counts = taken(chain, *[event("pte_modify", n, page=512, site=0x10)] * rows)
    total = n * rows
    expected = {"trap": min(k, total), "retranslate_site": int(total >= k), "callout": max(total - k, 0)}
    assert counts == +Counter(expected)
    assert taken(chain, event("pte_modify", 1, page=512, site=0x20))["trap"] == 1


def test_an_adapted_site_goes_back_slowly() -> None:
    chain = adaptive(guilty_after=1, innocent_after=5)
    taken(chain, RUNS, SHADOW, event("pte_modify", 1, page=512, site=1))
    innocent = event("pte_modify", 4, page=9000, site=1)
    assert taken(chain, innocent) == {"pte_modify": 4, "check": 4}
    guilty = event("pte_modify", 1, page=512, site=1)
    assert taken(chain, guilty, innocent) == {"callout": 1, "pte_modify": 4, "check": 4}, "guilt starts the count anew"
    assert taken(chain, innocent) == {"pte_modify": 4, "check": 1, "retranslate_site": 1}
    assert taken(chain, innocent) == {"pte_modify": 4}
    assert taken(chain, guilty) == {"trap": 1, "retranslate_site": 1}


def test_an_adapted_site_never_goes_back_if_told_so() -> None:
    chain = adaptive(guilty_after=1, innocent_after=0)
    taken(chain, RUNS, SHADOW, event("pte_modify", 1, page=512, site=1))
    assert taken(chain, event("pte_modify", 10**9, page=9000, site=1)) == {"pte_modify": 10**9, "check": 10**9}


def code(site: int, size: int) -> Event:
    return event("kernel_code", site=site, size=size)


@pytest.mark.parametrize(("size", "units"), [(1, 1), (12, 1), (13, 2), (24, 2), (25, 3)])
def test_a_translation_unit_holds_twelve_instructions(size: int, units: int) -> None:
    chain = build(translation_cache={})
    assert taken(chain, code(1, size), code(1, size)) == {"translate_instruction": size, "chain_unit": units}


@pytest.mark.parametrize(("capacity", "flushes"), [(100, 0), (99, 6)])
def test_a_translation_cache_that_is_full_is_flushed_whole(capacity: int, flushes: int) -> None:
    """Two pieces in turn: both stay if they fit, else each displaces the other from the second piece on."""
    chain = build(translation_cache={"capacity": capacity})
    counts = taken(chain, *[code(1, 40), code(2, 60)] * 3, code(1, 40))
    assert counts["flush_translation_cache"] == flushes
    assert counts["translate_instruction"] == (100 if not flushes else 4 * 40 + 3 * 60)


def test_new_code_fills_the_cache_an_instruction_at_a_time() -> None:
    chain = build(translation_cache={"capacity": 100})
    assert taken(chain, event("new_code", 100)) == {"translate_instruction": 100, "chain_unit": 9}
    assert taken(chain, event("new_code", 1))["flush_translation_cache"] == 1
    assert taken(chain, event("new_code", 300))["flush_translation_cache"] == 3


def test_a_piece_larger_than_the_cache_is_an_error() -> None:
    with pytest.raises(ModelError, match="has 101 instructions: expected 1 to 100"):
        taken(build(translation_cache={"capacity": 100}), code(1, 101))


# The hybrid.


def hybrid(**parameters: Any) -> Chain:
    """In software a syscall takes 100 and a port access 1; in hardware it is the other way round."""
    software = {"binary_translation": {"transitions": {"syscall": {"cycle": 100}}, "in_tc": {"port_in": {"cycle": 1}}}}
    hardware = {"vm_exits": {"vmcb_reads": 0, "handlers": {"port_in": {"cycle": 100}}}}
    dearer = {"syscall": -100, "port_in": 99}
    return build(hybrid={"software": software, "hardware": hardware, "hardware_dearer_by": dearer, **parameters})


@pytest.mark.parametrize(("losses", "changes"), [(9, 0), (10, 1), (19, 1)])
def test_the_hybrid_changes_when_its_technique_has_lost_enough(losses: int, changes: int) -> None:
    chain = hybrid(window=1, change_after=990, start="hardware")
    assert taken(chain, *[event("port_in")] * losses)["change_technique"] == changes


def test_the_hybrid_translates_what_ran_on_hardware_when_it_changes() -> None:
    software = {"binary_translation": {"in_tc": {"port_in": {"cycle": 1}}}, "translation_cache": {}}
    hardware = {"vm_exits": {"handlers": {"port_in": {"cycle": 100}}}}
    dearer = {"port_in": 99}
    chain = build(
        hybrid={
            "software": software,
            "hardware": hardware,
            "hardware_dearer_by": dearer,
            "change_after": 99,
            "window": 1,
        }
    )
    assert "translate_instruction" not in taken(chain, event("new_code", 700))
    assert taken(chain, event("port_in"))["translate_instruction"] == 700
    assert taken(chain, event("new_code", 50))["translate_instruction"] == 50


@pytest.mark.parametrize("before", [0, 1, 30, 49])
def test_the_hybrid_never_cuts_a_row_that_it_does_not_watch(before: int) -> None:
    software = {"binary_translation": {"in_tc": {"port_in": {"cycle": 1}}}, "translation_cache": {}}
    hardware = {"vm_exits": {"handlers": {"port_in": {"cycle": 100}}}}
    chain = build(
        hybrid={
            "software": software,
            "hardware": hardware,
            "hardware_dearer_by": {"port_in": 99},
            "window": 50,
            "start": "software",
        }
    )
    if before:
        taken(chain, event("port_in", before))
    assert taken(chain, event("new_code", 120_000))["chain_unit"] == 10_000


def test_the_hybrid_refuses_names_that_nothing_serves() -> None:
    with pytest.raises(ValueError, match="neither technique serves 'sysscall'.*did you mean 'syscall'"):
        hybrid(hardware_dearer_by={"sysscall": 3})


def test_a_long_row_with_faults_at_its_end_is_served_at_once() -> None:
    chain = build(shadow_paging={"entries_per_table": 8192})
    taken(chain, RUNS)
    rows = [event("page_fault", 2, page=6000), event("pte_set", 6002, page=0)]
    assert taken(chain, *rows) == {"true_fault": 2, "pte_set": 6001, "hidden_fault": 1, "traced_pte_set": 1}


def test_counts_in_a_recipe_add_to_the_callout_of_its_form() -> None:
    chain = build(binary_translation={"callout": {"cpuid": {"callout": 2, "emulate": 1}}})
    assert taken(chain, event("cpuid")) == {"callout": 3, "emulate": 1}


def test_two_operations_cannot_share_an_innocent_action() -> None:
    form = {"trapping": {"trap": 1}, "adapted": {"callout": 1}, "innocent": "pte_set"}
    with pytest.raises(ValueError, match="same innocent action: pte_set"):
        build(adaptive_translation={"operations": {"traced_pte_set": form, "traced_pte_clear": form}})


def test_the_hybrid_looks_at_whole_windows_and_forgives() -> None:
    chain = hybrid(window=10, change_after=990, start="hardware")
    assert "change_technique" not in taken(chain, *[event("port_in")] * 9)
    assert taken(chain, event("port_in"))["change_technique"] == 1
    mixed = hybrid(window=2, change_after=500, start="hardware")
    assert "change_technique" not in taken(mixed, *[event("port_in"), event("syscall")] * 1000)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=30), st.integers(1, 20), st.integers(1, 4000))
def test_the_hybrid_treats_a_row_of_many_like_many_rows_of_one(
    rows: list[tuple[bool, int]], window: int, change_after: int
) -> None:
    names = [("syscall" if calls else "port_in", n) for calls, n in rows]
    together = taken(hybrid(window=window, change_after=change_after), *[event(name, n) for name, n in names])
    single = [event(name) for name, n in names for _ in range(n)]
    assert together == taken(hybrid(window=window, change_after=change_after), *single)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=40),
    st.integers(1, 20),
    st.integers(1, 4000),
    st.integers(0, 3000),
)
def test_the_hybrid_stays_near_the_better_of_its_techniques(
    phases: list[tuple[bool, int]], window: int, change_after: int, price: int
) -> None:
    """Its law: n changes cost at most n + 1 times (a tolerated loss and one window's), and n changes."""
    costs = {"syscall": {"software": 100, "hardware": 0}, "port_in": {"software": 1, "hardware": 100}}
    rows = [name for calls, n in phases for name in ["syscall" if calls else "port_in"] * n]
    chain = hybrid(window=window, change_after=change_after)
    counts = taken(chain, *[event(name) for name in rows])
    changes = counts["change_technique"]
    spent = counts["cycle"] + changes * price
    better = min(sum(costs[name][way] for name in rows) for way in ("software", "hardware"))
    exits = 2 * sum(name == "port_in" for name in rows)  # its round trips have no part in this account
    assert counts["vm_exit"] + counts["vm_entry"] <= exits
    assert spent <= better + (changes + 1) * (change_after + 100 * window) + changes * price


def test_the_hybrid_has_the_recipes_of_the_two_vmms() -> None:
    """Its file repeats them, as YAML has no way to take parts of two others."""
    software, hardware, both = (
        load_model(root() / f"cost_models/{name}.yaml")[1].mechanisms
        for name in ("pentium4-672/software-vmm", "pentium4-672/hardware-vmm", "lookahead/hybrid-vmm")
    )
    hybrid = both["hybrid"]
    assert isinstance(hybrid, HybridParameters)
    assert hybrid.software.binary_translation == software["binary_translation"]
    assert hybrid.software.adaptive_translation == software["adaptive_translation"]
    assert hybrid.software.translation_cache == software["translation_cache"]
    assert hybrid.hardware.vm_exits == hardware["vm_exits"]
    assert both["shadow_paging"] == software["shadow_paging"] == hardware["shadow_paging"]
