"""Names of the codes of the built-in tables; a code without a name stands for itself."""

REGIONS = {
    "EU26": "the EU-26", "GBR": "the United Kingdom", "USA": "the United States", "CHN": "China", "IND": "India",
    "RUS": "Russia", "TUR": "Türkiye", "JPN": "Japan", "KTW": "Korea and Taiwan", "BMX": "Brazil and Mexico",
    "CAU": "Canada and Australia", "ROW": "the rest of the world",
}  # fmt: skip
SECTORS = {
    "AGR": "farming and forestry", "MIN": "mining", "REF": "refining", "CHE": "chemicals",
    "NMM": "minerals (cement, glass)", "MET": "metals", "ELE": "electricity and gas", "CON": "construction",
    "EQP": "machinery and vehicles",
    "FER": "fertilisers and hydrogen", "OCH": "other chemicals", "CEM": "cement", "ONM": "glass and other minerals",
    "STL": "iron and steel", "ALU": "aluminium", "OMT": "other metals",
    "OMF": "other manufacturing", "TRA": "transport", "SRV": "services",
}  # fmt: skip


def region_name(code: str) -> str:
    """A region in a sentence."""
    return REGIONS.get(code, code)


def sector_name(code: str) -> str:
    """A sector in a sentence."""
    return SECTORS.get(code, code)
