"""Reports: the results of runs and sweeps as one HTML page and as Markdown.

gather.py          the runs and sweeps of a report, read from their folders
figures.py         means, deviations and intervals over seeds
scales.py          axes: numbers to pixels
charts.py          curves, switches, the heat map, and parameters against scores as SVG
parts.py           tables, sections and the document; figures as text
table_sections.py  the sections that hold tables alone
chart_sections.py  the sections that hold charts
ranking_sections.py  runs with questions: their ranking on test, and small vectors
guard_section.py   the forgetting guard, and what rehearsal did
document.py        which sections a report has, and which runs they show
page.py            the report as an HTML page that loads nothing
markdown.py        the text and tables of the report as Markdown
tensorboard.py     the metrics of the runs as TensorBoard event files
writing.py         writes the files of a report
"""

__all__: list[str] = []
