"""Page walks: how many memory references a TLB miss takes, with one or two levels of page tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.mechanisms.base import Parameters, StatelessMechanism

PageSize = Literal["4 KiB", "2 MiB", "1 GiB"]
_LEVELS_SAVED: dict[str, int] = {"4 KiB": 0, "2 MiB": 1, "1 GiB": 2}


def walk_references(guest_levels: int, nested_levels: int) -> int:
    """Return the memory references of one page walk, nothing cached (Bhargava et al., ASPLOS 2008).

    Each of n guest levels is read at a guest-physical address, which takes a walk of m nested levels to find, and so
    does the address that comes out in the end: n(m + 1) + m.

    >>> walk_references(4, 4), walk_references(4, 0)
    (24, 4)
    """
    return guest_levels * nested_levels + guest_levels + nested_levels


def _refuse_none_left(tables: str, levels: int, page: PageSize, cached: int) -> None:
    walked = levels - _LEVELS_SAVED[page]
    if walked < 1:
        raise ValueError(f"{tables}_levels {levels} leaves no level to walk with {tables}_page {page}: add levels")
    if cached >= walked:
        raise ValueError(
            f"expected {tables}_levels_cached below {walked}, the levels of a walk: the last is never cached, found "
            f"{cached}"
        )


class PageWalkParameters(Parameters):
    """How deep the page tables are, and how much of a walk the walk caches save.

    ``guest_levels``, ``nested_levels``: levels of tables for pages of 4 KiB; ``nested_levels: 0`` is a native walk, or
    one of shadow page tables. ``guest_page``, ``nested_page``: a page of 2 MiB saves a level, of 1 GiB two.
    ``guest_levels_cached``, ``nested_levels_cached``: upper levels that the walk caches answer.
    """

    guest_levels: Annotated[int, Field(ge=1, le=6)] = 4
    nested_levels: Annotated[int, Field(ge=0, le=6)] = 0
    guest_page: PageSize = "4 KiB"
    nested_page: PageSize = "4 KiB"
    guest_levels_cached: Annotated[int, Field(ge=0, le=6)] = 0
    nested_levels_cached: Annotated[int, Field(ge=0, le=6)] = 0

    @model_validator(mode="after")
    def _a_level_is_left(self) -> PageWalkParameters:
        _refuse_none_left("guest", self.guest_levels, self.guest_page, self.guest_levels_cached)
        if self.nested_levels:
            _refuse_none_left("nested", self.nested_levels, self.nested_page, self.nested_levels_cached)
        return self

    @property
    def references(self) -> int:
        """Memory references of one walk, which reads a level at least: walk caches never hold the last one."""
        guest = self.guest_levels - _LEVELS_SAVED[self.guest_page] - self.guest_levels_cached
        if not self.nested_levels:
            return walk_references(guest, 0)
        return walk_references(guest, self.nested_levels - _LEVELS_SAVED[self.nested_page] - self.nested_levels_cached)


class PageWalk(StatelessMechanism):
    """The hardware's page walk.

    Answers: ``page_walk``. State: none; what walk caches hold is a parameter. Emits: ``walk_reference``, as often as
    ``walk_references`` says for the levels that are left to walk.

    >>> PageWalk(PageWalkParameters(nested_levels=4)).recipe("page_walk")
    {'walk_reference': 24}
    """

    name = "page_walk"
    schema = PageWalkParameters

    def __init__(self, parameters: PageWalkParameters) -> None:
        super().__init__({"page_walk": {"walk_reference": parameters.references}})
