"""Index files: as exact as comparing with every face, and whole after whatever happened to them."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.cli.compact import compacting_of
from imaginem.config.settings import read_settings
from imaginem.errors import Busy, DiskFull
from imaginem.ports import COPIES_KEPT, EnrolledFace, Neighbor
from imaginem.runtime import Runtime
from imaginem.sql import Database
from imaginem.sql.changes import GalleryState
from imaginem.sql.face_index import SqlFaceIndex
from imaginem.sql.flat_index import search
from imaginem.sql.flat_index.by_size import SearchBySize
from imaginem.sql.flat_index.codes import Codes, Floats, encode, most_bits, rotation
from imaginem.sql.flat_index.file import IndexWriter, MappedFile
from imaginem.sql.flat_index.layout import SUMS_AT, Places
from imaginem.sql.flat_index.locks import locked
from imaginem.sql.flat_index.matrix import MatrixSearch
from imaginem.sql.flat_index.scan import Scan
from imaginem.sql.flat_index.search import FileSearch
from imaginem.sql.probe import Kind
from tests.stores import sql_gallery, sql_stores

POSSIBLE = 0.37


def directions(count: int, dimensions: int = 512, seed: int = 1) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions), np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def alike(faces: Floats, cosine: float, seed: int = 2) -> Floats:
    """Return embeddings with exactly this cosine to each of the given ones."""
    other = directions(len(faces), faces.shape[1], seed)
    other -= (other * faces).sum(axis=1, keepdims=True) * faces
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return np.asarray(cosine * faces + np.sqrt(1 - cosine**2) * other, np.float32)


def enrolled(row: Floats, model: str = "m") -> EnrolledFace:
    return EnrolledFace(uuid.uuid4(), model, row.tobytes(), 0.8, (1, 2, 3, 4))


class World:
    """A gallery in a SQLite file, its index file, and what exact comparison says."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "face-index"
        self.database = Database("", home)
        self.index = self.new_index()
        self.gallery = sql_gallery(self.database, self.index)
        self._jobs = 0
        matrix = MatrixSearch(self.database, 100_000)
        self._matrix = SqlFaceIndex(self.database, lambda session: matrix, self.folder)

    def new_index(self, most_in_memory: int = 0) -> SqlFaceIndex:
        """Return an index as another process would have it."""
        search = SearchBySize(self.database, self.folder, most_in_memory)
        return SqlFaceIndex(self.database, lambda session: search, self.folder)

    def enrol(self, rows: Floats, model: str = "m", batch: str = "b") -> list[uuid.UUID]:
        """Enrol faces as one job's."""
        faces = [enrolled(row, model) for row in rows]
        self._jobs += 1
        self.gallery.enrol((batch, str(self._jobs)), faces)
        return [face.face_id for face in faces]

    @property
    def file(self) -> Path:
        (file,) = self.folder.glob("*.faces")
        return file

    @property
    def path(self) -> Path:
        """Where the file is, or would be."""
        return FileSearch(self.database, self.folder).path(Kind("m", 512))

    def exactly(
        self, probe: Floats, least: float = POSSIBLE, limit: int = 9999, model: str = "m"
    ) -> list[Neighbor]:
        return self._matrix.nearest(model, probe.tobytes(), min_similarity=least, limit=limit)

    def check(self, probes: Floats, least: float = POSSIBLE, limit: int = 9999) -> SqlFaceIndex:
        """Check that a new process finds what exact comparison does."""
        index = self.new_index()
        for probe in probes:
            found = index.nearest("m", probe.tobytes(), min_similarity=least, limit=limit)
            right = self.exactly(probe, least, limit)
            assert {each.face_id for each in found} == {each.face_id for each in right}
            assert [each.similarity for each in found] == pytest.approx(
                [each.similarity for each in right], abs=1e-6
            )
        return index


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with sixty faces, forty of which look like twenty others, and their index file."""
    world = World(tmp_path_factory.mktemp("filled"))
    people = directions(20)
    world.enrol(np.concatenate([people, alike(people, 0.4), alike(people, 0.7, seed=3)]))
    world.check(people[:1])
    world.database.close()
    return world.home


@pytest.fixture
def copied(filled: Path, tmp_path: Path) -> Iterator[World]:
    """The same home, a copy of its own."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    made = World(tmp_path)
    yield made
    made.database.close()


class TestCodes:
    @pytest.mark.parametrize("dimensions", [128, 512, 1024])
    def test_the_bits_let_nearly_every_face_through_that_is_alike_enough(
        self, dimensions: int
    ) -> None:
        faces = directions(5_000, dimensions)
        ones, others = encode(faces).words, encode(alike(faces, POSSIBLE)).words
        differing = np.bitwise_count(ones ^ others).sum(axis=1)
        assert (differing > most_bits(POSSIBLE, dimensions)).sum() <= 5
        strangers = np.bitwise_count(ones ^ np.roll(ones, 1, axis=0)).sum(axis=1)
        assert (strangers > most_bits(POSSIBLE, dimensions)).mean() > 0.8

    def test_a_rotation_keeps_every_cosine(self) -> None:
        for dimensions in (2, 512, 600):
            turned = rotation(dimensions)
            assert np.abs(turned @ turned.T - np.eye(dimensions)).max() < 1e-5

    def test_the_bytes_give_a_cosine_that_is_wrong_by_a_hundredth_at_most(self) -> None:
        faces = directions(2_000)
        codes = encode(faces)
        rotated = faces[0] @ rotation(512)
        estimates = (codes.bytes @ rotated) * codes.scales
        assert np.abs(estimates - faces @ faces[0]).max() < 0.01


class TestExactness:
    @pytest.mark.parametrize("dimensions", [128, 512, 1024])
    def test_a_file_finds_the_same_faces_with_the_same_cosines_as_a_matrix(
        self, world: World, dimensions: int
    ) -> None:
        people = directions(100, dimensions)
        near = [alike(people, cosine, seed=9) for cosine in (0.375, 0.4, 0.55, 0.75)]
        world.enrol(np.concatenate([people, *near]))
        world.check(people[:9])
        world.check(people[:1], least=-1)

    def test_the_best_of_each_group_are_found_among_very_many(self, world: World) -> None:
        probe = directions(1)
        stores = sql_stores(world.database)
        for number, batch in enumerate(("b", "red", "blue")):
            stores.batches.open_batch(batch, batch if number else "")
            crowd = np.repeat(probe, 60, axis=0)
            world.enrol(
                np.concatenate(
                    [
                        alike(
                            crowd[each : each + 1], 0.9 - 0.006 * each - 0.1 * number, seed=each + 5
                        )
                        for each in range(60)
                    ]
                ),
                batch=batch,
            )
        for limit in (1, 7, 70):
            index = world.check(probe, limit=limit)
        found = index.nearest("m", probe[0].tobytes(), min_similarity=POSSIBLE, limit=7)
        assert len(found) == 21

    def test_copies_of_a_photo_take_nobodys_place_among_very_many(self, world: World) -> None:
        probe = directions(1)[0]
        nearer = alike(np.repeat(probe[None], 120, axis=0), 0.9, seed=3)
        photo = [replace(enrolled(row), photo_sha256="sent often") for row in nearer]
        for number, copy in enumerate(photo):
            world.gallery.enrol(("copies", str(number)), [copy])
        others = world.enrol(alike(np.repeat(probe[None], 30, axis=0), 0.8, seed=4))
        found = world.index.nearest("m", probe.tobytes(), min_similarity=POSSIBLE, limit=21)
        ids = [neighbor.face_id for neighbor in found]
        assert len(set(ids).intersection(copy.face_id for copy in photo)) == COPIES_KEPT
        assert len(set(ids).intersection(others)) == 20

    def test_more_faces_than_a_segment_holds_are_all_searched(self, tmp_path: Path) -> None:
        faces, state = directions(16_500, 64), GalleryState(1, uuid.uuid4())
        numbers = np.arange(1, 16_501)
        writer = IndexWriter.create(tmp_path / "index", "m", 64, state)
        for part in (slice(0, 10_000), slice(10_000, 16_500)):
            writer.add(numbers[part], encode(faces[part]))
        writer.finish(state)
        writer.put_in_place()
        writer.close()
        mapped = MappedFile(tmp_path / "index")
        assert mapped.is_sound()
        for place in (0, 10_000, 16_383, 16_384, 16_499):
            found, similar = Scan(faces[place], 0.5).over(mapped.segments)
            right = faces @ faces[place]
            assert set(found.tolist()) >= set(numbers[right >= 0.5].tolist())
            assert np.abs(similar - right[found - 1]).max() < 0.02

    def test_models_have_files_of_their_own(self, world: World) -> None:
        (face,) = rows = directions(1)
        world.enrol(rows)
        world.enrol(directions(1, 128), model="n")
        index = world.new_index()
        for model, size in (("m", 512), ("n", 128)):
            probe = face if size == 512 else directions(1, 128)[0]
            assert len(index.nearest(model, probe.tobytes(), min_similarity=0.9, limit=9)) == 1
        assert len(list(world.folder.glob("*.faces"))) == 2

    @pytest.mark.parametrize("in_memory", [0, 100])
    def test_a_model_that_changes_the_length_of_its_embeddings_stops_nobody(
        self, world: World, in_memory: int
    ) -> None:
        index = world.new_index(in_memory)
        old, new = directions(3), directions(2, 128)
        first = world.enrol(old)

        def found(probe: Floats) -> list[uuid.UUID]:
            near = index.nearest("m", probe.tobytes(), min_similarity=0.9, limit=9)
            return [each.face_id for each in near]

        assert found(old[0]) == first[:1]
        second = world.enrol(new)
        assert found(old[1]) == first[1:2]
        assert found(new[0]) == second[:1]
        sql_gallery(world.database, index).remove([first[1], second[0]])
        assert found(old[1]) == found(new[0]) == []
        assert world.folder.exists() == (in_memory == 0)
        if in_memory == 0:
            assert _traces(world, old[1:2]) == _traces(world, new[:1]) == []

    def test_few_faces_need_no_file_and_fewer_again_remove_it(self, world: World) -> None:
        faces = directions(6)
        ids = world.enrol(faces[:4])
        index = world.new_index(most_in_memory=4)

        def search() -> list[uuid.UUID]:
            found = index.nearest("m", faces[0].tobytes(), min_similarity=0.9, limit=9)
            return [each.face_id for each in found]

        assert search() == ids[:1]
        assert not world.folder.exists()
        more = world.enrol(faces[4:])
        assert search() == ids[:1]
        assert world.file.exists()
        world.gallery.remove([*ids[1:], *more])
        assert search() == search() == ids[:1]
        assert list(world.folder.glob("*.faces")) == []


class TestDamage:
    PLACES = Places(512)

    @pytest.mark.parametrize(
        "at",
        [
            pytest.param(3, id="magic"),
            pytest.param(40, id="header"),
            pytest.param(SUMS_AT, id="checksums"),
            pytest.param(PLACES.segment(0) + 9, id="numbers"),
            pytest.param(PLACES.scales(0) + 2, id="scales"),
            pytest.param(PLACES.bits(0, 5) + 8, id="bits"),
            pytest.param(PLACES.bytes(0) + 700, id="bytes"),
            pytest.param(PLACES.bytes(0) + 512 * 16_000, id="unused"),
        ],
    )
    def test_a_flipped_bit_is_noticed_and_the_file_made_anew(self, copied: World, at: int) -> None:
        before = copied.file.stat().st_ino
        raw = bytearray(copied.file.read_bytes())
        raw[at] ^= 4
        copied.file.write_bytes(raw)
        copied.check(directions(20))
        whole = MappedFile(copied.file)
        assert whole.is_whole()
        assert whole.is_sound()
        assert copied.file.stat().st_ino != before or raw != copied.file.read_bytes()

    @pytest.mark.parametrize("size", [0, 100, 5_000, 1_000_000])
    def test_a_file_that_was_cut_short_is_made_anew(self, copied: World, size: int) -> None:
        os.truncate(copied.file, size)
        copied.check(directions(20))

    @pytest.mark.parametrize("names", ["when whole", "from the first"])
    @pytest.mark.parametrize("often", [1, 99])
    def test_a_folder_that_is_removed_while_the_file_is_made_hides_no_face(
        self, copied: World, monkeypatch: pytest.MonkeyPatch, often: int, names: str
    ) -> None:
        finish, left, probe = IndexWriter.finish, often, directions(1)[0].tobytes()
        begun: list[IndexWriter] = []
        if names == "from the first":
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)

        def without_folder(writer: IndexWriter, state: GalleryState) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                shutil.rmtree(copied.folder)
                if names == "from the first":  # another process has begun a file of its own
                    copied.folder.mkdir()
                    begun.append(IndexWriter.create(copied.path, "m", 512, state))
            finish(writer, state)

        copied.file.unlink()
        index = copied.new_index()
        monkeypatch.setattr(IndexWriter, "finish", without_folder)
        if often == 1:
            assert len(index.nearest("m", probe, min_similarity=POSSIBLE, limit=9)) == 3
        else:
            with pytest.raises(Busy, match="is removed while it is made: leave it there"):
                index.nearest("m", probe, min_similarity=POSSIBLE, limit=9)
        for writer in begun:
            writer.close()

    def test_who_waits_for_a_lock_that_is_removed_locks_the_new_one(self, tmp_path: Path) -> None:
        path, before = tmp_path / "x.lock", fcntl.flock
        tries = 0

        def removing(file: int, how: int) -> None:
            nonlocal tries
            tries += 1
            before(file, how)
            if tries == 1:
                path.unlink()
                path.touch()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fcntl, "flock", removing)
            with locked(path, 1) as held:
                assert (held, tries) == (True, 2)
        with locked(path, 0) as first, locked(path, 0) as second:
            assert (first, second) == (True, False)

    @pytest.mark.parametrize("size", [0, 5_000])
    def test_a_file_that_is_cut_short_under_a_process_does_not_end_it(
        self, copied: World, size: int
    ) -> None:
        script = f"""
import os
from pathlib import Path
from imaginem.sql.flat_index.file import MappedFile
path = Path({str(copied.file)!r})
mapped = MappedFile(path)
assert mapped.is_whole()
os.truncate(path, {size})
assert not mapped.is_whole()
"""
        done = subprocess.run([sys.executable, "-c", script], check=False)
        assert done.returncode == 0

    @pytest.mark.parametrize("change", ["make", "make in place", "add", "remove"])
    def test_a_process_killed_at_any_write_leaves_a_file_that_is_put_right(
        self, copied: World, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        people = directions(20)
        write, left = os.pwrite, 0

        class Killed(BaseException):
            """The process ends here."""

        def until_killed(file: int, raw: bytes, at: int) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                write(file, raw[: len(raw) // 2], at)  # half of it was written
                raise Killed
            return write(file, raw, at)

        if change == "make in place":
            monkeypatch.delattr(
                os, "O_TMPFILE", raising=False
            )  # as where there are no files without a name
        for allowed in range(100):
            if change.startswith("make"):
                copied.file.unlink()
            elif change == "add":
                copied.enrol(directions(1, seed=100 + allowed))
            else:
                extra = copied.enrol(people[3:4])
                copied.check(people[3:4])
                _delete_behind(copied, extra)
            left = allowed
            monkeypatch.setattr(os, "pwrite", until_killed)
            try:
                copied.new_index().nearest(
                    "m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9
                )
            except Killed:
                monkeypatch.setattr(os, "pwrite", write)
                copied.check(people[[0, 3]])
                assert MappedFile(copied.file).is_sound()
            else:
                break
        else:
            pytest.fail("it never came to its end")
        assert allowed > 5
        monkeypatch.setattr(os, "pwrite", write)
        copied.check(people)

    def test_a_full_disk_is_told_and_once_there_is_room_all_is_found(
        self, copied: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_room(file: int, raw: bytes, at: int) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        new = directions(1, seed=60)
        copied.enrol(new)
        with monkeypatch.context() as full, pytest.raises(DiskFull):
            full.setattr(os, "pwrite", no_room)
            copied.new_index().nearest("m", new[0].tobytes(), min_similarity=POSSIBLE, limit=9)
        copied.check(np.concatenate([new, directions(20)]))

    def test_the_file_of_another_database_is_made_anew(self, copied: World, tmp_path: Path) -> None:
        other = World(tmp_path / "other")
        mine = directions(5, seed=8)
        other.enrol(mine)  # both galleries have the same version now
        other.folder.mkdir()
        shutil.copy(copied.file, other.folder)
        other.check(mine)
        other.database.close()

    def test_a_restored_database_that_went_another_way_is_noticed(
        self, copied: World, tmp_path: Path
    ) -> None:
        backup = tmp_path / "backup.db"
        with closing(sqlite3.connect(tmp_path / "imaginem.db")) as database:
            database.execute("VACUUM INTO ?", (str(backup),))
        lost, new = directions(4, seed=11), directions(4, seed=12)
        for one in lost:
            copied.enrol(one[None])
        copied.check(lost)
        copied.database.close()
        for name in ("imaginem.db-wal", "imaginem.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(backup, tmp_path / "imaginem.db")
        again = World(tmp_path)
        for one in new:
            again.enrol(one[None])
        again.check(np.concatenate([new, lost]))
        again.database.close()

    def test_who_missed_more_changes_than_are_kept_reads_all_again(
        self, copied: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaginem.sql.changes.KEPT_CHANGES", 2)
        people = directions(20)
        (gone,) = [each for each in copied.exactly(people[0]) if each.similarity > 0.99]
        _delete_behind(copied, [gone.face_id])
        for seed in range(3):
            copied.enrol(directions(1, seed=50 + seed))
        copied.check(people)
        assert _traces(copied, people[:1]) == []


def _delete_behind(world: World, ids: Sequence[uuid.UUID]) -> None:
    """Remove faces as a process does that ends before it can tell its index."""

    class Silent(SqlFaceIndex):
        def forget_removed(self) -> None:
            """Too late."""

    index = Silent(world.database, lambda session: pytest.fail("not searched"), world.folder)
    sql_gallery(world.database, index).remove(ids)


def _traces(world: World, faces: Floats) -> list[str]:
    """Return what files of the index still have of faces."""
    codes = encode(faces)
    raw = b"".join(path.read_bytes() for path in world.folder.iterdir())
    found = []
    for words, row in zip(codes.words, codes.bytes, strict=True):
        found += ["bits"] if words[3].tobytes() in raw else []
        found += ["bytes"] if row[100:148].tobytes() in raw else []
    return found


class TestErasure:
    def test_the_search_for_traces_finds_them_while_they_are_there(self, copied: World) -> None:
        assert _traces(copied, directions(20)[:1]) == ["bits", "bytes"]

    @pytest.mark.parametrize("searched", [True, False])
    def test_no_byte_of_an_erased_face_is_left_once_it_is_erased(
        self, copied: World, searched: bool
    ) -> None:
        people = directions(20)
        if searched:
            copied.index.nearest("m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9)
        gone = [each.face_id for each in copied.exactly(people[0])]
        copied.gallery.remove(gone)
        assert _traces(copied, people[:1]) == []
        mapped = MappedFile(copied.file)
        assert np.flatnonzero(mapped.segments[0].numbers == 0)[0] == 0
        header = mapped.header()
        assert header is not None
        assert (header.used, header.live) == (60, 57)
        assert mapped.is_sound()
        copied.check(people)

    @pytest.mark.parametrize("by", ["search", "timer", "compaction"])
    def test_an_erasure_that_was_interrupted_is_brought_to_its_end(
        self, copied: World, by: str
    ) -> None:
        people = directions(20)
        gone = [each.face_id for each in copied.exactly(people[0])]
        copied.check(people[:1])
        _delete_behind(copied, gone)
        assert _traces(copied, people[:1])
        if by == "search":
            found = copied.new_index().nearest(
                "m", people[0].tobytes(), min_similarity=-1, limit=99
            )
            assert {each.face_id for each in found}.isdisjoint(gone)
        else:
            runtime = Runtime(read_settings({"IMAGINEM_HOME": str(copied.home)}))
            if by == "timer":
                (job,) = [job for job in runtime.maintenance_jobs if job.name == "index of faces"]
                job.run()
            else:
                compacting = compacting_of(runtime)
                assert compacting is not None
                compacting.write_database_anew()
            runtime.database.close()
        assert _traces(copied, people[:1]) == []

    def test_a_process_that_has_the_file_open_never_finds_an_erased_face(
        self, copied: World
    ) -> None:
        people = directions(20)
        here = copied.new_index()

        def search() -> set[uuid.UUID]:
            found = here.nearest("m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9)
            return {each.face_id for each in found}

        while found := search():
            gone = found.pop()
            copied.gallery.remove([gone])
            assert gone not in search()

    def test_a_file_that_can_not_be_trusted_is_removed_rather_than_kept(
        self, copied: World
    ) -> None:
        raw = bytearray(copied.file.read_bytes())
        raw[20] ^= 1
        copied.file.write_bytes(raw)
        copied.new_index().forget_removed()
        assert list(copied.folder.glob("*.faces")) == []

    @pytest.mark.parametrize("searched", [True, False])
    def test_nothing_of_an_erased_face_stays_in_a_file_that_was_cut_short(
        self, copied: World, searched: bool
    ) -> None:
        people = directions(20)
        index = copied.new_index()
        if searched:
            index.nearest("m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9)
        gone = [each.face_id for each in copied.exactly(people[0])]
        os.truncate(copied.file, copied.file.stat().st_size - 1)
        sql_gallery(copied.database, index).remove(gone)
        assert _traces(copied, people[:1]) == []
        copied.check(people)

    def test_nothing_of_an_erased_face_stays_in_a_file_with_a_flipped_bit(
        self, copied: World
    ) -> None:
        people = directions(20)
        gone = [each.face_id for each in copied.exactly(people[0])]
        raw = bytearray(copied.file.read_bytes())
        raw[Places(512).segment(0)] ^= 64  # the number of its row
        copied.file.write_bytes(raw)
        copied.gallery.remove(gone)
        assert _traces(copied, people[:1]) == []
        copied.check(people)

    @pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="every file has a name here")
    @pytest.mark.parametrize("step", ["finish", "put_in_place"])
    def test_nothing_of_a_face_is_left_that_is_erased_while_a_process_makes_the_file_and_is_killed(
        self, copied: World, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        people, add, before = directions(20), IndexWriter.add, getattr(IndexWriter, step)
        gone = [each.face_id for each in copied.exactly(people[0])]

        class Killed(BaseException):
            """The process ends here."""

        def erased(writer: IndexWriter, numbers: NDArray[np.int64], codes: Codes) -> None:
            add(writer, numbers, codes)
            copied.gallery.remove(gone)
            gone.clear()

        def killed(writer: IndexWriter, *args: object) -> None:
            before(writer, *args)
            raise Killed

        copied.file.unlink()
        with monkeypatch.context() as broken, pytest.raises(Killed):
            broken.setattr(search, "_ERASURE_WAITS", 0.05)
            broken.setattr(IndexWriter, "add", erased)
            broken.setattr(IndexWriter, step, killed)
            copied.new_index().nearest("m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9)
        assert _traces(copied, people[:1]) == []
        assert len(list(copied.folder.glob("*.faces"))) == (step == "put_in_place")
        copied.check(people)

    @pytest.mark.parametrize("when", ["add", "finish", "put_in_place"])
    def test_an_erasure_while_a_file_is_made_stops_nobody_and_leaves_nothing(
        self, copied: World, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        people, made = directions(20), 0
        gone = [each.face_id for each in copied.exactly(people[0])]
        before, create = getattr(IndexWriter, when), IndexWriter.create

        def erasing(writer: IndexWriter, *args: object) -> None:
            before(writer, *args)
            copied.gallery.remove(gone)
            gone.clear()

        def counted(path: Path, model: str, dimensions: int, state: GalleryState) -> IndexWriter:
            nonlocal made
            made += 1
            return create(path, model, dimensions, state)

        copied.file.unlink()
        index = copied.new_index()
        with monkeypatch.context() as slow:
            slow.setattr(search, "_ERASURE_WAITS", 0.05)
            slow.setattr(IndexWriter, when, erasing)
            slow.setattr(IndexWriter, "create", counted)
            found = index.nearest("m", people[0].tobytes(), min_similarity=POSSIBLE, limit=9)
        assert (found, made) == ([], 1)
        assert _traces(copied, people[:1]) == []
        copied.check(people)

    def test_an_erasure_waits_for_a_file_that_has_no_name_yet(
        self, copied: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[Path] = []

        @contextmanager
        def waiting(path: Path, seconds: float) -> Iterator[bool]:
            waits.append(path)
            yield False

        copied.file.unlink()
        monkeypatch.setattr(search, "locked", waiting)
        copied.new_index().forget_removed()
        assert waits == [copied.path.with_suffix(".lock")]

    def test_where_nobody_searched_nothing_is_made(self, world: World) -> None:
        ids = world.enrol(directions(2))
        never = SqlFaceIndex(
            world.database, lambda session: pytest.fail("nothing to search"), world.folder
        )
        sql_gallery(world.database, never).remove(ids)
        assert not world.folder.exists()
