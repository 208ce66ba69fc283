"""The tables of `rice_n/`: constants of the climate negotiation world, by region and for all.

Imported by `resources`, so it brings its own columns.  Columns and constants are named as in
`worlds.climate_negotiation.parameters`; the symbol of each in the reference opens its description.
"""

from functools import partial

from carbonray.data.schema import Column, Resource, Source

text = partial(Column, kind="text")
figure = partial(Column, kind="number")
amount = partial(Column, kind="number", minimum=0.0)

NOTICE = (
    "Copyright (c) 2022, Salesforce.com, Inc and MILA. All rights reserved.\n\n"
    "Redistribution and use in source and binary forms, with or without modification, are permitted provided that the "
    "following conditions are met:\n\n"
    "* Redistributions of source code must retain the above copyright notice, this list of conditions and the "
    "following disclaimer.\n\n"
    "* Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the "
    "following disclaimer in the documentation and/or other materials provided with the distribution.\n\n"
    "* Neither the name of Salesforce.com or MILA, nor the names of their contributors may be used to endorse or "
    "promote products derived from this software without specific prior written permission.\n\n"
    'THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED '
    "WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A "
    "PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY "
    "DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, "
    "PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER "
    "CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR "
    "OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."
)
RICE_N = Source(
    title="RICE-N, reference implementation of Zhang et al. 2022 (arXiv 2208.07004), commit "
    "148ed8576e77a0f5ece6cdcd6016a25e54a73332 of 2023-10-19",
    publisher="Salesforce and Mila",
    licence="BSD-3-Clause, Copyright (c) 2022, Salesforce.com, Inc and MILA",
    licence_path="https://opensource.org/license/bsd-3-clause",
    path="https://github.com/mila-iqia/climate-cooperation-competition",
    notice=NOTICE,
)

REGIONS = Resource(
    name="rice-regions",
    path="rice_n/regions.parquet",
    title="The 27 regions of the climate negotiation world: economy, population, intensity, damage and abatement",
    year="2015",
    method="Figures of the reference's region files laid over its default file, unrounded. The regions are fictional "
    "and have no names in the reference. A region is called R and the number of its file "
    "(there is no R1, R8 or R10); rows stand in the order of the region ids 0 to 26, which is that of the file "
    "numbers sorted as text.",
    columns=(
        text(name="region", description="R and the number of the reference's file"),
        text(name="reference_file", description="number of the reference's file"),
        amount(name="capital_share", unit="share", description="gamma: exponent of capital in production"),
        amount(name="capital_0", unit="trillion USD", description="K_0: capital in 2015"),
        amount(name="capital_depreciation", unit="share / year", description="delta_K: depreciation of capital"),
        amount(name="population_0", unit="million", description="L_0: population in 2015"),
        amount(name="population_limit", unit="million", description="L_a: population that growth leads to"),
        figure(
            name="population_growth",
            unit="1",
            description="l_g: exponent of (1 + L_a) / (1 + L), per step of 5 years; where it is negative, the "
            "population moves away from its limit",
        ),
        amount(
            name="productivity_0",
            unit="trillion USD / year / (trillion USD ^ gamma x billion persons ^ (1 - gamma))",
            description="A_0: total factor productivity in 2015",
        ),
        figure(
            name="productivity_growth",
            unit="share / step of 5 years",
            description="g_A: growth of productivity in the first step, beside exp(0.0033) that all have",
        ),
        amount(name="productivity_slowdown", unit="1 / year", description="delta_A: rate at which g_A falls"),
        amount(
            name="intensity_0",
            unit="Gt CO2 / trillion USD",
            description="sigma_0: emissions per unit of production before damage and abatement, 2015",
        ),
        amount(name="intensity_decline", unit="1 / year", description="g_sigma: rate at which intensity falls"),
        amount(name="intensity_slowdown", unit="share / year", description="delta_sigma: rate at which g_sigma falls"),
        amount(name="damage_linear", unit="1 / K", description="a_1: linear term of damage"),
        amount(name="damage_factor", unit="1 / K ^ a_3", description="a_2: factor of the power term of damage"),
        amount(name="damage_exponent", unit="1", description="a_3: exponent of warming in damage"),
        amount(name="backstop_price", unit="USD / t CO2", description="p_b: price of full abatement in 2015"),
        amount(
            name="backstop_decline", unit="share / step of 5 years", description="delta_pb: rate at which p_b falls"
        ),
        amount(name="abatement_exponent", unit="1", description="theta_2: exponent of the abatement cost"),
        amount(name="risk_aversion", unit="1", description="alpha: elasticity of marginal utility"),
        amount(name="discount_rate", unit="share / year", description="rho: time preference, for welfare only"),
    ),
    key=("region",),
    sources=(RICE_N,),
)
CONSTANTS = Resource(
    name="rice-constants",
    path="rice_n/constants.parquet",
    title="Constants of climate, trade and time of the climate negotiation world",
    year="2015",
    method="Constants of the reference, unrounded. Vectors and matrices are laid out one figure a row: _1 is the first "
    "element, _12 row 1, column 2; temperature has the layers atmosphere and lower ocean, carbon atmosphere, upper "
    "and lower ocean. Constants that the reference's step never reads are left out "
    "(xeta, xe_0, xq_0, xmu_0, xT_2x, xscale_1, xscale_2).",
    columns=(
        text(name="name", description="what it is, as in the code"),
        figure(name="value", unit="see the column unit", description="the figure"),
        text(name="unit", description="unit of the figure"),
        text(name="symbol", description="symbol in the reference"),
        text(name="description", description="in words"),
    ),
    key=("name",),
    sources=(RICE_N,),
)

RESOURCES_RICE = (REGIONS, CONSTANTS)
