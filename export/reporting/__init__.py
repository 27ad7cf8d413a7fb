"""The report: one HTML page that needs nothing else.

material    what there is to report on, and how it is read: models, benchmarks, a comparison, pictures
choice      which model on which Raspberry Pi; pure
answer      that choice in words, with the figures behind it; pure
axis        the scale of a chart; pure
charts      what the charts show, as numbers; pure
figures     numbers and text as the page writes them
page        fills in templates/
templates/  page.html, a template for each section, their macros (parts.html, charts.html), and the style sheet
"""
