"""Colours and the style sheet: light and dark, screen and paper, phone and desk; with the fonts that are there."""

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "page": "#faf9f6",
    "card": "#ffffff",
    "ink": "#1b2430",
    "muted": "#56606e",
    "rule": "#dcd9d0",
    "track": "#ebe8e0",
    "accent": "#0a625d",
    "tint": "#e3f1ef",
    "warn": "#8a4b00",
    "warn-tint": "#fbeeda",
    "series-1": "#0b766f",
    "series-2": "#b7530b",
    "series-3": "#4a56b9",
    "series-4": "#96306f",
    "series-5": "#5d6d14",
    "series-6": "#7a6a58",
    "series-7": "#2273a8",
    "series-8": "#a33b3b",
}

DARK: Mapping[str, str] = {
    "page": "#12161c",
    "card": "#1a2028",
    "ink": "#e8e6e0",
    "muted": "#a7b0bb",
    "rule": "#333c48",
    "track": "#2b333e",
    "accent": "#63d2c6",
    "tint": "#12332f",
    "warn": "#f3bb6f",
    "warn-tint": "#372813",
    "series-1": "#4fc9bd",
    "series-2": "#f19d57",
    "series-3": "#a3adff",
    "series-4": "#ee8ac2",
    "series-5": "#bfd05f",
    "series-6": "#c9b8a3",
    "series-7": "#79c0ee",
    "series-8": "#f09a9a",
}

SERIES = sum(name.startswith("series") for name in LIGHT)
"""How many things one picture can tell apart."""


def series(number: int) -> str:
    """The colour of the thing with that number, from 0, for a style attribute."""
    return f"var(--series-{number % SERIES + 1})"


def style_sheet() -> str:
    """All of it."""
    light, dark = ("".join(f"--{name}:{value};" for name, value in colours.items()) for colours in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{_RULES}"
    )


_RULES = """\
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Liberation Sans",sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:68rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
.brand{font-weight:600;letter-spacing:.04em;color:var(--accent);margin:0}
h1{font-size:clamp(1.8rem,1.2rem + 2.6vw,2.9rem);line-height:1.12;letter-spacing:-.02em;margin:.3rem 0 .8rem;
text-wrap:balance}
h2{font-size:1.5rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .6rem;text-wrap:balance}
h3{font-size:1.06rem;line-height:1.35;margin:1.9rem 0 .5rem}
p,ul,ol,dl{max-width:46rem;margin:.6rem 0}
li{margin:.3rem 0}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:2px}
code{font:.92em ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;background:var(--tint);
padding:.08em .3em;border-radius:.25em}
pre{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.75rem .9rem;overflow-x:auto;
font-size:.88rem;line-height:1.5;margin:.7rem 0}
pre code{background:none;padding:0}
.lead{font-size:1.15rem;max-width:48rem}
.small,figcaption,.note{font-size:.9rem;color:var(--muted)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:.7rem 0;margin:1.2rem 0 0;
border-block:1px solid var(--rule);max-width:none}
nav li{margin:0}
nav a{text-decoration:none;display:inline-block;padding:.25rem 0}
nav a:hover{text-decoration:underline}
section{padding:2.6rem 0 0}
section+section{border-top:1px solid var(--rule);margin-top:2.6rem}
.wide{overflow-x:auto;margin:.9rem 0;border:1px solid var(--rule);border-radius:.6rem;background:var(--card)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.94rem}
caption{text-align:left;padding:.75rem 0 .2rem;color:var(--muted);font-size:.9rem}
caption span{display:block;position:sticky;left:.9rem;width:fit-content;margin:0 .9rem;
max-width:min(46rem,100vw - 4.5rem)}
th,td{padding:.55rem .9rem;text-align:left;vertical-align:top}
tr+tr>*,tbody tr>*{border-top:1px solid var(--rule)}
thead th{font-size:.84rem;color:var(--muted);font-weight:600;vertical-align:bottom}
tbody th{font-weight:600}
.number{text-align:right;white-space:nowrap}
thead .number{white-space:normal;min-width:5rem}
.between{display:block;font-size:.8rem;color:var(--muted)}
.best{font-weight:700}
.same{color:var(--muted);font-weight:400}
.figures th[scope=row]{position:sticky;left:0;background:var(--card);z-index:1}
.answer .model{font-size:1.15rem;font-weight:700;white-space:nowrap}
.answer .model code{background:none;padding:0;color:var(--accent);font-size:1em}
.answer td p{margin:0}
.answer tbody th{white-space:nowrap}
.answer tbody th .between{font-weight:400}
.badge{display:inline-block;font-size:.8rem;font-weight:600;line-height:1.3;padding:.15rem .55rem;
border-radius:.8rem;background:var(--tint);color:var(--accent)}
.badge.doubt{background:var(--warn-tint);color:var(--warn)}
.missing{border-left:4px solid var(--warn);background:var(--warn-tint);padding:.6rem 1rem;margin:1rem 0;
border-radius:0 .5rem .5rem 0;max-width:46rem}
.missing p{margin:.2rem 0}
.missing pre{margin:.5rem 0 .3rem}
.many{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem;margin:1rem 0}
figure{margin:1rem 0;padding:.9rem 1rem 1rem;background:var(--card);border:1px solid var(--rule);
border-radius:.6rem;break-inside:avoid;min-width:0}
.many figure{margin:0}
.heading{font-size:.95rem;line-height:1.35;font-weight:600;margin:0 0 .5rem;color:var(--ink)}
figcaption{margin:.6rem 0 0}
svg{display:block;width:100%;overflow:visible;font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Liberation Sans",sans-serif}
.plot{padding:0 .5rem}
svg text{fill:var(--ink);stroke:var(--card);stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
svg .quiet{fill:var(--muted);font-size:11.5px}
svg .grid{stroke:var(--rule);stroke-width:1}
svg .track{stroke:var(--track);stroke-width:6;stroke-linecap:round}
svg .mark{stroke:var(--muted);stroke-width:1.5;stroke-dasharray:4 3}
svg .span{stroke-width:6;stroke-linecap:round;opacity:.45}
svg .dot{stroke:var(--card);stroke-width:1.5}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.2rem 0 .7rem;
font-size:.9rem}
.legend li{margin:0}
.swatch{display:inline-block;width:.75em;height:.75em;border-radius:50%;margin-right:.4em;
border:1px solid var(--card)}
.paper{background:#fff;padding:.5rem;border-radius:.4rem;overflow-x:auto}
.paper img{display:block;width:100%;min-width:min(34rem,160vw);height:auto}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:1rem;margin:1.1rem 0;
max-width:none}
.facts>div{background:var(--card);border:1px solid var(--rule);border-radius:.6rem;padding:.85rem 1rem;
break-inside:avoid}
.facts dt{font-size:.9rem;color:var(--muted)}
.facts dd{margin:.15rem 0 0}
.facts .big{font-size:1.7rem;font-weight:700;line-height:1.2;letter-spacing:-.01em}
footer{padding-top:2rem;padding-bottom:3rem;margin-top:3rem;color:var(--muted);font-size:.9rem}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static}
@media (max-width:44rem){
header,main,footer{padding-inline:1rem}
header{padding-top:1.6rem}
.lead{font-size:1.06rem}
section{padding-top:2rem}
ul{padding-left:1.3rem}
section+section{margin-top:2rem}
th,td{padding:.5rem .65rem}
.answer table,.answer caption,.answer tbody,.answer tr,.answer th,.answer td{display:block}
.answer thead{position:absolute;left:-999rem}
.answer tr{padding:.8rem .9rem}
.answer tr+tr{border-top:1px solid var(--rule)}
.answer tr>*{border:0!important;padding:.1rem 0!important}
.answer tbody th .between{display:inline;margin-left:.5em}
}
@media print{
:root{--page:#fff}
body{font-size:10pt}
header,main,footer{max-width:none;padding-inline:0}
nav,.skip{display:none}
section+section{margin-top:1.2rem}
section{padding-top:1.2rem}
h2,h3,.heading,caption{break-after:avoid}
tr,figure,.missing,pre{break-inside:avoid}
.wide{overflow:visible;border:0}
table{font-size:8.5pt}
th,td{padding:.25rem .35rem}
.figures th[scope=row]{position:static}
pre{white-space:pre-wrap;overflow:visible}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
"""
