"""No natural person in any table: which names are a company's or a place's, and which are left out.

A registry of installations holds the names of companies, but here and there a sole trader's, a partner's or an
insolvency administrator's.  A name is kept only where something shows that it is no person's; when in doubt it is left
out, so that some companies go unnamed.  The words are in `declared/name_words.csv`, the names that were read one by one
and recognised in `declared/company_names.csv`.
"""

import csv
import re
import unicodedata
from functools import cache
from pathlib import Path

DECLARED = Path(__file__).parent / "declared"
LOOKALIKES = str.maketrans("АВЕКМНОРСТУХЅІЈ", "ABEKMHOPCTYXSIJ")  # Cyrillic capitals in Latin names
STRETCHED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i"})  # letters without a decomposition
SHORTEST_STEM = 5
"""Letters of a company word that may stand anywhere inside a longer word; a shorter one must be the whole word."""
JOINED_FORMS = frozenset({"co", "cokg"})
"""Parts of `GmbH & Co. KG` that are no form by themselves."""
LARGEST_PERSON = 4
"""Words up to which a name that nothing explains may be a person's."""


def fold(name: str) -> tuple[str, ...]:
    """The words of a name without case, accents and dots; single letters in a row are one word (`s.r.o.` is `sro`)."""
    text = unicodedata.normalize("NFKD", _latin(name).casefold().translate(STRETCHED))
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).replace(".", "")
    words = re.findall(r"[^\W_]+", text.replace("ς", "σ"))
    joined: list[str] = []
    run = False
    for word in words:
        single = len(word) == 1 and word.isalpha()
        if single and run:
            joined[-1] += word
        else:
            joined.append(word)
        run = single
    return tuple(joined)


def _latin(name: str) -> str:
    """Cyrillic look-alikes replaced where the name is otherwise Latin."""
    latin = sum("A" <= letter.upper() <= "Z" for letter in name)
    return name.translate(LOOKALIKES) if latin > len(name) / 4 else name


@cache
def words(kind: str) -> frozenset[str]:
    """The declared words of a kind: corporate form, partnership form, role, family, company word, given name."""
    with (DECLARED / "name_words.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["word"].replace("ς", "σ") for row in csv.DictReader(file) if row["kind"] == kind)


@cache
def recognised(kind: str) -> dict[tuple[str, ...], str]:
    """Declared names, folded, and how they are written: brand, company or place."""
    with (DECLARED / "company_names.csv").open(encoding="utf-8", newline="") as file:
        return {fold(row["match"]): row["name"] for row in csv.DictReader(file) if row["kind"] == kind}


def brand(name: str) -> str:
    """The declared brand that stands as a word in a company's name, or nothing. Says what is written, not who owns it.

    A brand that was merged into another is given as that one: Lafarge and LafargeHolcim as Holcim (merged in 2015).
    """
    found = fold(name)
    if not is_company(name):
        return ""
    return next((full for start in range(len(found)) if (full := _brand_at(found, start))), "")


def _brand_at(found: tuple[str, ...], start: int) -> str:
    lengths = (3, 2, 1)
    return next((full for n in lengths if (full := recognised("brand").get(found[start : start + n]))), "")


def without_forms(found: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a folded name that are no legal form; all where nothing else is left."""
    forms = words("corporate form") | words("partnership form") | JOINED_FORMS
    return tuple(word for word in found if word not in forms) or found


def is_company(name: str) -> bool:
    """Whether a name is shown to be a company's.

    A corporate form shows it, unless somebody acts for the company (an administrator, an owner). Without one, a brand,
    a recognised name or a company word shows it, unless a given name or a sign of a family stands beside it.
    Partnerships count as names without a form: they bear a partner's name, which an initial gives away.
    """
    found = fold(name)
    present = set(found)
    if not found or present & words("role"):
        return False
    if present & words("corporate form") or found in recognised("company") or name in _written():
        return True
    if _brand_at(found, int(found[0] == "sc")):  # a Romanian company begins with its form
        return True
    return _has_company_word(found) and not _names_a_person(found)


def _names_a_person(found: tuple[str, ...]) -> bool:
    """Whether a given name, a sign of a family, or a partner's initial in a partnership stands in a name."""
    present = set(found)
    initial = any(len(word) == 1 and word.isalpha() for word in found)
    return bool(present & (words("given name") | words("family")) or (initial and present & words("partnership form")))


@cache
def _written() -> frozenset[str]:
    """Brands and companies as a table writes them."""
    return frozenset((*recognised("brand").values(), *recognised("company").values()))


def is_place(name: str) -> bool:
    """Whether the name of an installation holds no person's: a company's, a place's, or an installation's kind.

    One word alone is a place; two to four words that nothing explains may be a person.
    """
    found = fold(name)
    present = set(found)
    if is_company(name) or found in recognised("place"):
        return True
    if not found or present & words("role") or _names_a_person(found):
        return False
    explained = _has_company_word(found) or any(not word.isalpha() for word in found)
    return explained or len(found) == 1 or len(found) > LARGEST_PERSON


def _has_company_word(found: tuple[str, ...]) -> bool:
    stems = words("company word")
    if stems & set(found):
        return True
    return any(stem in word for word in found if len(word) > SHORTEST_STEM for stem in _long_stems())


@cache
def _long_stems() -> tuple[str, ...]:
    return tuple(sorted(word for word in words("company word") if len(word) >= SHORTEST_STEM))
