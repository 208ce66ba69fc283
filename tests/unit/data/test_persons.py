"""No natural person in a table. Every person and family here is made up."""

import pandas as pd
import pytest

from carbonray.data import load_table
from carbonray.data.build_plants import one_spelling
from carbonray.data.persons import brand, fold, is_company, is_place, words

COMPANIES = (
    "Norwood Steelworks Ltd",
    "Hüttenwerk Talheim GmbH & Co. KG", "ACCIAIERIE DI MONTEVERDE S.p.A.", "Cementos del Valle, S.A.U.",
    "Zakłady Azotowe Brzezina Sp. z o.o.", "Železárny Horní Lhota, a. s.", "Oţelul Nou S.R.L.", "SC PROFILE NOI SRL",
    "AS Põhja Tsement", "UAB Cementas", "SIA „Kaļķi”", "Stålverket AB", "Jokilaakson Teräs Oy", "Aciéries du Nord SAS",
    "Staalbedrijf De Haven B.V.", "Aluminij d.d.", "Цимент АД", "ΧΑΛΥΒΑΣ ΒΟΡΡΑ Α.Ε.", "Fábrica de Cal, Lda",
    "Mészmű Kft.",
    "Vápenka Dolní, spol. s r.o.", "Kalk Nord A/S",
    "Stromberg & Söhne GmbH",  # a corporation that bears a family's name
    "Giovanni Esempio S.p.A.", "ArcelorMittal Testville", "Compagnie des Engrais",
)  # fmt: skip
PERSONS = (
    "Anna Beispiel", "Esempio Giovanni", "POPESCU ION MARIUS", "Jan Przykładowy", "M. Exempel", "Dr. Erika Mustermann",
    "Calcestruzzi Esempio Antonio",  # a sole trader's works
    "Mustermann als Insolvenzverwalter der Gießerei Talheim GmbH i. I.", "Erben Mustermann", "Karl Mustermann KG",
    "Mustermann e.K.", "Forges Dupond Jean", "ΠΑΡΑΔΕΙΓΜΑΤΟΠΟΥΛΟΣ & ΣΙΑ ΕΕ", "Exemplo & Filhos", "MUSTERMANN", "",
    "Portlandzementwerk Ragin M. Beispiel K.G.", "Zementwerk Ragin B. Beispiel KG",  # a partner's name
)  # fmt: skip
PLACES = (
    "Zementwerk Talheim", "Walcownia", "Usine de Montverd", "MONTEVERDE", "Stabilimento di Monteverde", "Hochofen 2",
    "Fawley Refinery", "Pilgerstr. 14", "Norra bruket verken", "Drehofen 4",
)  # fmt: skip
PERSONS_AS_PLACES = (
    "Anna Beispiel",
    "Esempio Giovanni",
    "Exemplo & Irmão",
    "Calcestruzzi Esempio Antonio",
    "Vorname Nachname",
    "Zementwerk Ragin B. Beispiel KG",
)


@pytest.mark.parametrize("name", COMPANIES)
def test_a_company_is_kept(name: str) -> None:
    assert is_company(name)
    assert is_place(name)


@pytest.mark.parametrize("name", PERSONS)
def test_a_person_is_not_taken_for_a_company(name: str) -> None:
    assert not is_company(name)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_kept(name: str) -> None:
    assert is_place(name)


@pytest.mark.parametrize("name", PERSONS_AS_PLACES)
def test_a_person_is_not_taken_for_a_place(name: str) -> None:
    assert not is_place(name)


def test_forms_are_read_without_dots_accents_and_case() -> None:
    assert fold("Železárny, s. r. o.") == ("zelezarny", "sro")
    assert fold("ΧΑΛΥΒΑΣ Α.Ε.") == ("χαλυβασ", "αε")
    assert fold("PROBA STEEL ЕAD")[-1] == "ead"  # a Cyrillic letter in a Latin name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SC Holcim (Testland) SA", "Holcim"),
        ("Tsement Holcim Testland", "Holcim"),
        ("Talheim Tata Steel Works Ltd", "Tata Steel"),
        ("Testland Holcim", ""),  # nothing shows a company
        ("Orlenica Sp. z o.o.", ""),  # a part of a word
        ("Beispiel Linde", ""),
        ("PKN ORLEN S.A.", "ORLEN"), ("Polski Koncern Naftowy ORLEN S.A.", "ORLEN"), ("AB ORLEN Lietuva", "ORLEN"),
        ("ORLEN", "ORLEN"), ("PETROTEL - LUKOIL SA", "LUKOIL"), ("Oy Linde Gas Ab", "Linde"),
        ("Lafarge Ciments", "Holcim"), ("LafargeHolcim Ltd", "Holcim"), ("Holcim (Deutschland) GmbH", "Holcim"),
    ],
)  # fmt: skip
def test_a_brand_is_a_word_of_a_company_name(name: str, wanted: str) -> None:
    assert brand(name) == wanted


@pytest.mark.parametrize(
    "names",
    [
        ("thomas zement GmbH", "thomas zement GmbH & Co. KG", "Thomas Zement GmbH & Co.KG"),
        ("Alleima", "Alleima AB"),
        ("Stahlwerk Talheim AG", "STAHLWERK TALHEIM", "Stahlwerk Talheim KG"),
        ("PKN ORLEN S.A.", "AB ORLEN Lietuva", "Polski Koncern Naftowy ORLEN S.A.", "ORLEN"),
    ],
)
def test_a_company_has_one_spelling_whatever_its_legal_form(names: tuple[str, ...]) -> None:
    assert len(set(one_spelling(pd.Series(names)))) == 1


def test_companies_are_not_merged_for_a_word_in_common_and_blanks_stay_blank() -> None:
    names = pd.Series(["Stahlwerk Talheim AG", "Stahlwerk Lindenau AG", "AG & Co. KG", ""])
    assert one_spelling(names).nunique() == 4
    assert one_spelling(names).iloc[-1] == ""


def test_no_name_that_is_shipped_holds_a_person() -> None:
    plants = load_table("plants")
    assert all(name == "" or is_company(name) for name in plants["company"])
    own = ~plants["name"].str.startswith("plant ")
    assert all(is_place(name) for name in plants.loc[own, "name"])
    roles = words("role")
    assert not any(roles & set(fold(name)) for name in (*plants["company"], *plants["name"]) if name != "Leuna SR 1,2")
