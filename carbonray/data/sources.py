"""Publishers of the figures that the built-in tables are derived from, and their terms."""

from carbonray.data.schema import Source

CC_BY = "CC BY 4.0"
CC_BY_PATH = "https://creativecommons.org/licenses/by/4.0/"

WIOD = Source(
    title="World Input-Output Database, 2013 release (Timmer et al. 2015, doi 10.1111/roie.12178)",
    publisher="WIOD consortium / University of Groningen",
    licence="free to use with citation",
    licence_path="https://www.rug.nl/ggdc/valuechain/wiod/",
    path="https://www.rug.nl/ggdc/valuechain/wiod/wiod-2013-release",
)
JRC = Source(
    title="WIOD Environmental Accounts update 2000-2016 (Corsatea et al. 2019, doi 10.2760/024036)",
    publisher="European Commission, Joint Research Centre",
    licence="Commission reuse policy (CC BY 4.0)",
    licence_path=CC_BY_PATH,
    path="https://doi.org/10.2760/024036",
)
EU_LAW = "EU legal text, reusable with acknowledgement (Commission Decision 2011/833/EU)"
EU_LAW_PATH = "https://eur-lex.europa.eu/eli/dec/2011/833/oj"
DEFAULTS_LAW = Source(
    title="Implementing Regulation (EU) 2025/2621, Annex I (workbook of 4 February 2026)",
    publisher="European Commission",
    licence=EU_LAW,
    licence_path=EU_LAW_PATH,
)
BENCHMARKS_LAW = Source(
    title="Implementing Regulation (EU) 2025/2620 (workbook of 6 February 2026)",
    publisher="European Commission",
    licence=EU_LAW,
    licence_path=EU_LAW_PATH,
)
SCHEDULE_LAW = Source(
    title="Directive 2003/87/EC art. 10a(1a); Implementing Regulation (EU) 2025/2621",
    publisher="European Union",
    licence=EU_LAW,
    licence_path=EU_LAW_PATH,
)
ICAP = Source(
    title="ICAP Allowance Price Explorer, EU secondary market, yearly means cited as single rounded figures",
    publisher="International Carbon Action Partnership",
    licence="cited figures (rounded yearly means); the series itself is not shipped",
    licence_path="https://icapcarbonaction.com/en/ets-prices",
    path="https://icapcarbonaction.com/en/ets-prices",
)
CERTIFICATE = Source(
    title="CBAM certificate price of the first quarter of 2026, published 7 April 2026 (IR (EU) 2025/2548)",
    publisher="European Commission",
    licence=EU_LAW,
    licence_path=EU_LAW_PATH,
)
WORLD_BANK = Source(
    title="Carbon Pricing Dashboard, prices on 1 April of each year (release of 2022)",
    publisher="World Bank",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://carbonpricingdashboard.worldbank.org/",
)
EUTL = Source(
    title="European Union Transaction Log, operator holding accounts (extract of 2022-2024)",
    publisher="European Commission",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://ec.europa.eu/clima/ets/",
)
OWID = Source(
    title="CO2 and greenhouse gas data of Our World in Data (Global Carbon Budget 2024; Maddison project)",
    publisher="Our World in Data",
    licence=CC_BY,
    licence_path=CC_BY_PATH,
    path="https://github.com/owid/co2-data",
)
