"""Reports: what runs and sweeps came to, as one HTML page and as Markdown.

gather.py    what is reported, from the folders of runs and sweeps
figures.py   means, spreads and intervals over seeds
scales.py    numbers to places on paper
charts.py    curves, the switch timeline, the heat map, parameters against Spearman, as SVG
page.py      the HTML page: complete in itself, nothing is fetched
markdown.py  the same tables as Markdown
"""

__all__: list[str] = []
