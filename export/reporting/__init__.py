"""The report: one HTML page that needs nothing else.

html       elements out of names, attributes and text; everything is escaped
style      colours and the style sheet
chart      pictures as SVG that fits any width
figures    numbers as a person reads them
material   what there is to report on, and how it is read: models, benchmarks, a comparison, pictures
choice     which model on which Raspberry Pi, and why; pure
sections/  what stands on the page, from the answer down
page       all of them as one document
"""
