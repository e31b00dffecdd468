"""How words are found: on the photo, on the pages and in other scripts."""

from collections.abc import Collection
from itertools import permutations
from pathlib import Path

import pytest

from benchmarks.names import Found, measure, read_names, sample
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.ports.text_search import Sureness, TextSearch, met_by, tokens_of, word_tokens
from imaginem.ports.text_search.folding import compounds, fold
from imaginem.ports.text_search.likeness import likeness
from imaginem.ports.text_search.names import whole_names
from imaginem.usecases.searching import hits_on_photo
from tests.dashboard import client, keep, web_services
from tests.names_in_scripts import names_in_scripts

NAMES_OF_SEVERAL_WORDS = (
    ("Abd al-Rahman", "Abdur Rahman", "Abdurrahman", "Abdirahman", "عبد الرحمن", "Абдуррахман"),
    ("Nuruddin", "Nour ed-Din", "Nour Eddine", "Nur al Din", "نور الدين", "نورالدين"),
    ("Salahuddin", "Salah ed-Din", "Salah al-Din", "صلاح الدين"),
    ("Abu Bakr", "Abubakar", "Abou Bakr", "Aboubacar", "أبو بكر"),
    ("Ben Ali", "Benali", "بن علي"),
    ("Saif ul Islam", "Saifulislam", "Saif-ul-Islam", "سيف الإسلام"),
    ("Nasrallah", "Nasr Allah", "نصر الله"),
    ("Fatima Zahra", "Fatimazahra", "Fatima-Zahra"),
    ("Gebremariam", "Gebre Mariam", "Gebre-Mariam", "ገብረ ማርያም", "ገብረማርያም"),
    ("Al Noor", "Alnoor", "Al-Noor", "El Noor", "النور"),
    ("J. R. Smith", "JR Smith", "J.R. Smith"),
    ("Kim Chulsoo", "Kim Chul-soo", "Kim Chul Soo", "Kim Cheolsu", "김철수", "김 철수"),
    ("MacDonald", "Mac Donald"),
)


def line(*words: str) -> TextLine:
    made = [
        Word(text=word, confidence=0.9, polygon=[place, 0, place + 9, 0, place + 9, 9, place, 9])
        for place, word in enumerate(words)
    ]
    box = [0, 0, 99, 0, 99, 9, 0, 9]
    return TextLine(text=" ".join(words), confidence=0.9, polygon=box, words=made)


def text_of(*lines: TextLine) -> OcrText:
    return OcrText(full_text="\n".join(each.text for each in lines), lines=list(lines))


def _word(text: str) -> str:
    return next(compounds(text)).whole


def _all_alike(name: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(one == each or likeness(one, each) for one in name for each in other)


def _are_one(names: list[tuple[str, ...]], one: str, other: str) -> bool:
    """Tell whether two spellings are of one name, or of Latin ones such as Hasan and Hassan."""
    latin = [{name[0] for name in names if word in name} for word in (one, other)]
    return any(a == b or likeness(a, b) for a in latin[0] for b in latin[1])


class TestOnThePhoto:
    def test_each_word_is_marked_with_how_sure_it_is(self) -> None:
        read = text_of(line("Missing:", "Mohamed", "14"), line("محمد", "١٤"), line("Mohameds"))
        hits = hits_on_photo(read, "Mohamed, 14")
        assert [(hit.word.text, hit.line, hit.sureness.value) for hit in hits] == [
            ("Mohamed", 1, "exact"),
            ("14", 1, "exact"),
            ("محمد", 2, "other_script"),
            ("١٤", 2, "exact"),
            ("Mohameds", 3, "beginning"),
        ]

    def test_a_line_is_marked_whose_words_are_not_told_or_are_one_name_together(self) -> None:
        read = text_of(line("by", "عبد", "الله"), line("nothing"))
        (hit,) = hits_on_photo(read, "Abdullah")
        assert (hit.word, hit.sureness) == (read.lines[0], Sureness.OTHER_SCRIPT)
        whole = TextLine(text="Maria Lopez", confidence=0.9, polygon=[])
        assert [hit.word for hit in hits_on_photo(text_of(whole), "lopez")] == [whole]

    def test_a_line_is_marked_whose_number_is_grouped_otherwise(self) -> None:
        read = text_of(line("Tel", "+964", "770", "1234567"), line("964"), line("12", "14"))
        (hit,) = hits_on_photo(read, "07701234567")
        assert (hit.word, hit.sureness) == (read.lines[0], Sureness.SIMILAR)
        assert {hit.sureness for hit in hits_on_photo(read, "00964 7701234567")} == {"exact"}

    def test_pages_and_api_tell_how_sure_a_hit_is_and_show_where_it_is(self) -> None:
        services = web_services()
        read = text_of(line("محمد"))
        keep(services, ("b", "one"), {"ocr": read.model_dump()})
        keep(services, ("b", "two"), {"ocr": text_of(line("Mohamed")).model_dump()})
        local = client(services)

        found = local.get("/api/images?text=Mohamed").json()["images"]
        assert [(each["job_id"], each["sureness"]) for each in found] == [
            ("two", "exact"),
            ("one", "other_script"),
        ]
        assert local.get("/api/images").json()["images"][0]["sureness"] == ""
        cards = local.get("/photos?text=Mohamed").text
        assert cards.count("in another script") == 1
        assert "/photos/b/one?text=Mohamed" in cards
        page = local.get("/photos/b/one?text=Mohamed").text
        assert (
            '<polygon class="sure-other_script" data-box="hit-1" points="0,0 9,0 9,9 0,9"' in page
        )
        assert 'class="sure-' not in local.get("/photos/b/one").text
        assert "is not marked" in local.get("/photos/b/one?text=Anna").text

    def test_a_name_is_marked_that_is_one_word_or_two(self) -> None:
        read = text_of(line("Kim", "Chulsoo"), line("Nuruddin", "Kim"), line("Fatima", "Zahra"))
        korean = hits_on_photo(read, "김철수")
        assert [(hit.line, hit.sureness.value) for hit in korean] == [(1, "other_script")]
        assert [hit.word.text for hit in hits_on_photo(read, "Nour ed-Din")] == ["Nuruddin"]
        marked = hits_on_photo(read, "Fatimazahra")
        assert [(hit.word.text, hit.sureness.value) for hit in marked] == [
            ("Fatima", "similar"),
            ("Zahra", "similar"),
        ]


class TestFolding:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("STRASSE", "straße"),
            ("Łódź", "lodz"),
            ("İstanbul", "istanbul"),
            ("Đặng", "dang"),
            ("أحْمَد", "احمد"),
            ("علیّ", "علي"),
            ("فاطمـة", "فاطمه"),
            ("٢٠٢٦", "2026"),
            ("२०२६", "2026"),
            ("ＡＢ１２", "ab12"),
            ("Ёлкин", "елкин"),
            ("Μαρία", "μαρια"),
            ("שָׁלוֹם", "שלום"),
            ("ﬁn", "fin"),
            ("น้ำ", "น้ํา"),
        ],
    )
    def test_letters_that_are_taken_for_the_same_are(self, one: str, other: str) -> None:
        assert fold(one) == fold(other)

    @pytest.mark.parametrize(
        ("one", "other"), [("कि", "की"), ("กา", "กิ"), ("が", "か"), ("한", "하")]
    )
    def test_letters_that_are_others_stay_so(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)

    def test_words_are_cut_as_people_read_them(self) -> None:
        found = [word.parts for word in compounds("O’Brien, मोहम्मद 東京2026年 off_x AB-12 don't")]
        assert found == [
            ("o", "brien"),
            ("मोहम्मद",),
            ("東京",),
            ("2026",),
            ("年",),
            ("off",),
            ("x",),
            ("ab", "12"),
            ("don", "t"),
        ]

    def test_a_page_of_figures_has_tokens_with_an_end(self) -> None:
        page = "\n".join(f"{number} " * 40 for number in range(2_000))
        assert len(tokens_of(page, [], "b")) < 4_000

    def test_a_registration_number_is_no_number_in_groups(self) -> None:
        assert "12345678" not in word_tokens("AB-12345-678, 12345-678x")

    def test_a_text_without_end_has_tokens_with_an_end(self) -> None:
        assert len(tokens_of(" ".join(f"w{number}" for number in range(20_000)), [], "b")) < 20_000
        assert max(map(len, tokens_of("x" * 100_000, [], "b"))) < 200


class TestLikeness:
    @pytest.mark.parametrize(
        ("searched", "word"),
        [
            ("12345", "12346"),
            ("2026", "2O26"),
            ("h0pper", "hopper"),
            ("ab12", "ab13"),
            ("a1", "al"),
            ("ali", "ила1"),
        ],
    )
    def test_numbers_are_like_nothing_else(self, searched: str, word: str) -> None:
        assert likeness(searched, word) is None

    def test_a_hundred_names_are_found_by_each_spelling_in_three_other_scripts(self) -> None:
        names = [tuple(map(_word, spellings)) for spellings in names_in_scripts()]
        found = {name: [other for other in names if _all_alike(name, other)] for name in names}
        whole = [name for name in names if name in found[name]]
        assert len(whole) >= 110, set(names) - set(whole)

        pairs = [
            (one, other)
            for name in names
            for one in name
            for each in names
            for other in each
            if one != other and likeness(one, other)
        ]
        right = [pair for pair in pairs if _are_one(names, *pair)]
        assert len(right) / len(pairs) > 0.8

    def test_names_of_nine_scripts_are_found_and_most_of_what_is_found_is_right(self) -> None:
        names = read_names()
        found = sum(measure(names, sample(names, 150, seed=16)).values(), Found())
        assert found.wanted > 600
        assert found.recall > 0.8
        assert found.precision > 0.75


class TestWholeSearches:
    def test_every_name_is_found_in_a_line_without_spaces_however_long_it_is(self) -> None:
        thai = "ประกาศตามหาบุคคลสูญหายในพื้นที่จังหวัดเชียงใหม่และจังหวัดใกล้เคียงติดต่อคุณสมชาย"
        chinese = "寻人启事" * 40 + "张伟"
        assert len(thai) > 64
        assert sureness_in(thai, "สมชาย") == sureness_in(thai, "ประกาศ") == "exact"
        assert sureness_in(chinese, "张伟") == "exact"
        assert sureness_in(chinese, "王伟") is None

    @pytest.mark.parametrize(
        ("searched", "photo"),
        [
            ("Ahmed bin Ali", "أحمد بن علي"),
            ("أحمد بن علي", "Ahmed bin Ali"),
            ("Ahmad ibn Ali", "أحمد بن علي"),
            ("bin Laden", "بن لادن"),
            ("Meir ben David", "מאיר בן דוד"),
        ],
    )
    def test_a_name_with_son_of_is_found_in_other_scripts(self, searched: str, photo: str) -> None:
        assert sureness_in(photo, searched) == "other_script"

    def test_who_is_called_ben_is_not_found_by_his_other_name_alone(self) -> None:
        assert sureness_in("John Smith", "Ben Smith") is None
        assert sureness_in("John Smith", "Smith, Ben") is None

    @pytest.mark.parametrize("spellings", NAMES_OF_SEVERAL_WORDS, ids=lambda names: names[0])
    def test_a_name_of_several_words_is_found_by_each_of_its_spellings(
        self, spellings: tuple[str, ...]
    ) -> None:
        missed = [
            (searched, photo)
            for searched, photo in permutations(spellings, 2)
            if sureness_in(photo, searched) is None
        ]
        assert missed == []

    def test_two_words_that_are_no_name_find_none_that_is_like_both(self) -> None:
        for searched, photo in (
            ("they are", "theyre"),
            ("a step", "steps"),
            ("new file", "profile"),
        ):
            assert sureness_in(photo, searched) is None, searched

    def test_few_words_of_a_text_are_kept_as_one(self) -> None:
        prose = Path("docs/search.md").read_text()
        words = [word.whole for word in compounds(prose)]
        joined = [name.text for name in whole_names(list(compounds(prose)))]
        assert len(joined) < len(words) / 25


def sureness_in(photo: str, searched: str) -> str | None:
    """Return how sure it is that a photo with this text has all words; None if it has not."""
    tokens = set(tokens_of(photo, [], "b"))

    class Words:
        def tokens_like(self, keys: Collection[str]) -> set[str]:
            return {token for token in tokens if token.startswith(tuple(keys))}

    asks = TextSearch(searched).asks(Words())
    return next((str(ask.sureness) for ask in asks if met_by(ask.groups, tokens)), None)
