"""export.commands.report: the page, from what is there."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting_fakes import (
    PI_4,
    ROWS,
    Taken,
    benchmark,
    comparison,
    material,
    model,
    table_csv,
    taken,
    write_sidecar,
)

from device.benchmark.document import dumps
from export.__main__ import main
from export.evaluation.delays import FalseStart, FalseStarts, Noticed, onsets_document
from export.reporting.figures import NONE
from export.reporting.material import Material, bundled, read_model
from export.reporting.page import SECTIONS, page

ROOT = Path(__file__).parents[1]
ATTENTION = ROOT / "models" / "attention.json"

HOSTILE = '<script>alert("1")</script>&"\'><img src=x onerror=alert(1)>'


def full() -> Material:
    """A page with every section."""
    models = [read_model(path) for path in bundled()]
    found = benchmark(PI_4, models={each.name: 0.01 for each in models}, throttling=("under-voltage",))
    return material(*models, benchmarks=[found], comparison=comparison(ROWS))


def test_figures_are_those_of_the_sidecars() -> None:
    """Every sound of every bundled model, with its interval."""
    tables = taken(full()).tables
    columns = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc")
    for path in bundled():
        document = json.loads(Path(path).read_text())
        for sound, found in document["metrics"].items():
            (rows,) = (rows for caption, rows in tables.items() if caption.lower().startswith(f"{sound}: "))
            (row,) = (row for row in rows if row[0] == document["name"])
            shown = [
                f"{each['value']:.3f} {each['low']:.3f} to {each['high']:.3f}" for each in map(found.get, columns)
            ]
            assert row[1:] == [f"{found['rows']:,}", *shown]


def test_delays_go_to_the_page_by_the_sidecar(tmp_path: Path) -> None:
    """From what `onsets --write` puts there, to what is said."""
    starts = [Noticed("noticed", 1.0, 0.1), Noticed("noticed", 2.0, 0.1), Noticed("missed")]
    stops = [Noticed("already"), Noticed("already"), Noticed("already")]
    without = FalseStarts((FalseStart("a", 1.0, 18.0),), heard_s=1800.0)
    document = {"split": "test", **onsets_document(starts, stops, without)}
    assert document["stops"] == {"noticed": 0, "missed": 0, "already": 3, "median_s": None, "p95_s": None}
    path = write_sidecar(tmp_path, ATTENTION, onsets=document)
    found = taken(material(read_model(str(path))))
    rows = found.tables["3 joins of the test packages; delays in seconds"]
    assert rows[1] == ["attention starts", "2", "1", "0", "1.50", "1.95"]
    assert rows[2] == ["attention stops", "0", "0", "3", NONE, NONE]
    assert found.tables["Music reported where there was none"][1] == ["attention", "1", "0.50", "2.0", "1.0"]


def test_rows_are_those_of_the_comparison() -> None:
    """Every row, every sound, every cost."""
    tables = taken(full()).tables
    everything = tables["All sounds together: 540 segments of 17 packages"]
    assert everything[2] == ["GRU on ours", *["0.981 0.971 to 0.991"] * 6]
    assert tables["F1 by sound"][1] == ["logistic regression on cepstral", *["0.912 0.902 to 0.922"] * 2]
    (costs,) = (rows for caption, rows in tables.items() if caption.startswith("Cost on the machine"))
    assert costs[3] == ["linear SVM on yamnet", "0.60", "0.010", "160", "5.0"]


def test_the_original_report_stands_beside_ours() -> None:
    """With our row of the same estimator from scratch, and a word on what it is worth."""
    found = taken(full())
    rows = found.tables["As the original report states them"]
    assert rows[1] == ["logistic regression", "0.8623", "0.8268", "0.8003", "0.8550", "0.912 0.902 to 0.922"]
    assert rows[4] == ["XGBoost", "0.8601", "0.8201", "0.8110", "0.8295", NONE]
    assert "cannot be compared" in found.said


def test_costs_are_those_of_the_benchmark() -> None:
    """With the device, and what slowed it."""
    found = taken(full())
    (rows,) = (rows for caption, rows in found.tables.items() if caption.startswith("One process that hears"))
    assert rows[1][1:] == ["10", "10", "10", "100", "1.00", "50", "7.0", "0.30"]
    assert PI_4 in found.said
    assert "The firmware reported under-voltage" in found.said


def test_another_version_is_marked() -> None:
    """Its cost is not that of the model on the page."""
    found = taken(material(model("good", 0.9), benchmarks=[benchmark(models={"good": 0.1}, version="2")]))
    assert "another version of the model" in found.said


def test_without_anything_the_page_says_what_to_run() -> None:
    """Each section has its command, none is left out."""
    found = taken(material())
    assert [each["id"] for each in found.of("section")] == list(SECTIONS)
    for command in (
        "oido-export evaluate attention embedder logistic --write",
        "oido benchmark --json > my-pi.json",
        "oido-export compare --learning-curve",
        "oido-export evaluate attention embedder logistic --plots plots",
    ):
        assert command in found.said


def test_without_delays_the_command_is_named() -> None:
    """For each model that lacks them."""
    assert "oido-export onsets good --write" in taken(material(model("good", 0.9))).said


def test_figures_for_development_are_called_so() -> None:
    """The validation split tuned the thresholds."""
    found = taken(material(comparison=comparison(ROWS, split="validation")))
    assert "figures for development only" in found.said
    assert "figures for development only" not in taken(full()).said


def test_a_sound_that_one_model_lacks_ranks_none() -> None:
    """Models are ranked by what all of them have heard."""
    both, one = model("both", 0.9, sounds=("clean", "room")), model("one", 0.95)
    assert material(both, one).sounds == ("clean",)


def test_hostile_words_stay_words() -> None:
    """In the names of models, machines, rows and folders."""
    hostile = model(HOSTILE, 0.9, sounds=("clean", "room"))
    measured = benchmark(PI_4 + HOSTILE, models={HOSTILE: 0.1}, cpu=HOSTILE, throttling=(HOSTILE,))
    rows = comparison({('"' + HOSTILE.replace('"', '""') + '"', "own", "gru"): 0.9})
    found = replace(
        material(hostile, benchmarks=[measured, benchmark(models={}, cpu=HOSTILE)], comparison=rows),
        folder=HOSTILE,
    )
    apart = taken(replace(found, comparison=replace(rows, sentences=[HOSTILE])))
    assert apart.said.count("<script>") > 5
    assert not apart.of("script")
    assert not [key for _, attributes in apart.elements for key in attributes if key.startswith("on")]


def test_the_page_refers_to_nothing_outside() -> None:
    """Links lead to its own sections, pictures are inside, and the browser is told so."""
    found = taken(full())
    anchors = {each["id"] for each in found.of("section")}
    for each in found.of("a"):
        assert each["href"].removeprefix("#") in anchors
    addresses = [
        attributes[key] for _, attributes in found.elements for key in ("src", "href") if key in attributes
    ]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"https?:|@import|url\(", page(full(), made=""))
    assert any("default-src 'none'" in each.get("content", "") for each in found.of("meta"))


def test_everyone_can_read_it() -> None:
    """Headings in order, cells that know their headings, pictures with words, ids once."""
    found = taken(full())
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(each.get("scope") in ("col", "row") for each in found.of("th"))
    assert all(len(each["aria-label"]) > 20 for each in found.of("svg"))
    assert all(len(each["alt"]) > 20 for each in found.of("img"))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert found.of("html")[0]["lang"] == "en"
    assert found.open == []


def test_the_command_writes_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a comparison and a benchmark, with the bundled models."""
    folder, measured, out = tmp_path / "comparison", tmp_path / "pi.json", tmp_path / "report.html"
    folder.mkdir()
    (folder / "table.csv").write_text(table_csv(ROWS))
    measured.write_text(dumps(benchmark(PI_4, models={"attention": 0.01}).report))
    arguments = ["report", "--comparison", str(folder), "--benchmark", str(measured), "--out", str(out)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison", "pi.json", "report.html"]
    found = Taken(out.read_text(encoding="utf-8"))
    assert "Run attention on Pi Zero 2 W" in found.said
    assert "GRU on ours" in [cells[0] for rows in found.tables.values() for cells in rows]


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    out = tmp_path / "no folder" / "report.html"
    assert main(["report", "--comparison", str(tmp_path), "--out", str(out)]) == 1
    assert (
        capsys.readouterr().err
        == f"oido-export: error: --out {out}: cannot be written: No such file or directory\n"
    )


def test_onsets_of_a_trial_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what all models are measured by."""
    assert main(["onsets", "logistic", "--write", "--joins", "3"]) == 2
    assert "leave these out" in capsys.readouterr().err
