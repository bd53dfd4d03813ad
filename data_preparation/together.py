"""Which samples belong on one side of a split: those of one group, with the same bytes, of nearly the same picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from contract.text import normalise

NEAR = 10  # bits of 1,024 in which near-duplicates differ at most
BANDS, BAND = 16, 64  # bands of a picture's bits, and the bits of each: with NEAR that differ, some bands are equal
NO_PICTURE = 0  # for a crop whose text no other one has: it is compared with none
FEW = 40  # pictures of one text that are compared each with each


@dataclass(frozen=True, slots=True)  # there may be millions
class Likeness:
    """What tells whether two crops show the same picture."""

    sha256: str  # of the image file
    picture: int  # 1,024 bits, likeness.picture_hash, or NO_PICTURE


@dataclass(frozen=True, slots=True)  # there may be millions
class Candidate:
    """A sample to be put on one side of a split. `name`: its path below images/."""

    name: str
    label: str
    likeness: Likeness


class Clusters:
    """Samples, by their number, in clusters that only ever grow together."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def first(self, number: int) -> int:
        """The lowest number of the cluster."""
        while self._parent[number] != number:
            self._parent[number] = number = self._parent[self._parent[number]]
        return number

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first(one), self.first(other)))
        self._parent[high] = low

    def join_equal(self, keys: Iterable[object]) -> None:
        """Join the samples with the same key, given in the order of their numbers."""
        seen: dict[object, int] = {}
        for number, key in enumerate(keys):
            self.join(seen.setdefault(key, number), number)

    def members(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            found[self.first(number)].append(number)
        return list(found.values())


@dataclass(frozen=True)
class Together:
    """Samples in clusters: each cluster as the numbers of its samples, in ascending order.

    `groups` has the group of every sample as it was used: its name where there was one group only.
    """

    clusters: list[list[int]]
    groups: Sequence[str]
    alike: int  # samples that show what another one shows, exactly or nearly
    notes: tuple[str, ...]


def keep_together(samples: Sequence[Candidate], groups: Sequence[str]) -> Together:
    """Cluster samples, given with the group of each. What would make one cluster of them all is given up, and said."""
    notes = []
    if len(set(groups)) == 1:
        groups = [sample.name for sample in samples]
        notes.append("all samples are of one group, so each counts by itself")
    for joins, without in (
        (
            (_join_bytes, _join_pictures),
            "near-duplicates may be on both sides: all hang together, so none could be parted",
        ),
        ((_join_bytes,), "equal images may be on both sides: all hang together, so none could be parted"),
        ((), ""),
    ):
        clusters = Clusters(len(samples))
        clusters.join_equal(sample.name for sample in samples)
        for join in joins:
            join(clusters, samples)
        alike = sum(len(members) for members in clusters.members() if len({samples[each].name for each in members}) > 1)
        clusters.join_equal(groups)
        members = clusters.members()
        if len(members) > 1:
            break
        notes.append(without)
    return Together(members, groups, alike, tuple(notes))


def _join_bytes(clusters: Clusters, samples: Sequence[Candidate]) -> None:
    clusters.join_equal(sample.likeness.sha256 for sample in samples)


def _join_pictures(clusters: Clusters, samples: Sequence[Candidate]) -> None:
    """Join samples whose texts are the same in the normal form and whose pictures differ in NEAR bits at most.

    The text is asked for because two short words in one typeface can look nearly the same, and because it is cheap:
    only pictures of the same text are compared.
    """
    by_text: dict[str, dict[int, int]] = defaultdict(dict)
    for number, sample in enumerate(samples):
        clusters.join(by_text[normalise(sample.label)].setdefault(sample.likeness.picture, number), number)
    for pictures in by_text.values():
        for group in _comparable(list(pictures)):
            _join_near(clusters, pictures, group)


def _join_near(clusters: Clusters, pictures: Mapping[int, int], group: Sequence[int]) -> None:
    """pictures: of one text, with the number of a sample of each. Only pictures of different clusters are compared."""
    parts: dict[int, list[int]] = defaultdict(list)
    for picture in group:
        parts[clusters.first(pictures[picture])].append(picture)
    for some, others in combinations(parts.values(), 2):
        for one, other in product(some, others):
            if (one ^ other).bit_count() <= NEAR:
                clusters.join(pictures[one], pictures[other])
                break


def near_pairs(pictures: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs that differ in NEAR bits at most, some of them more than once."""
    for group in _comparable(pictures):
        for one, other in combinations(group, 2):
            if (one ^ other).bit_count() <= NEAR:
                yield one, other


def _comparable(pictures: Sequence[int]) -> Iterable[Sequence[int]]:
    """Groups of pictures, such that both of a near pair are in one of them: all, or those with one band equal."""
    if len(pictures) <= FEW:
        return [pictures]
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for band in range(BANDS):
        for picture in pictures:
            found[band, picture >> BAND * band & (1 << BAND) - 1].append(picture)
    return found.values()
