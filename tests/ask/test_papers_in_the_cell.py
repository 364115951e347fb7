"""What the plant has on paper is seen in an agent's cell, to read, and found by its tools."""

from pathlib import Path

from holdfast.agent.knowledge.manuals.index import NAME as MANUALS
from holdfast.agent.knowledge.manuals.index import Index
from holdfast.run.mill import mill_site, site_file
from holdfast.run.papers import lay_out
from holdfast.run.supervise import PAPERS, Home, cell_of


def test_papers_that_are_there_are_seen_and_the_gates_folder_is_not(tmp_path: Path) -> None:
    home = Home(path=tmp_path)
    home.agent("mill-agent").mkdir(parents=True)
    home.gate.mkdir()
    assert not [path for path in cell_of(home, site_file(), mill_site(), "mill-agent").sees if path.name in PAPERS]
    lay_out(tmp_path, 0)
    cell = cell_of(home, site_file(), mill_site(), "mill-agent")
    assert {path.name for path in cell.sees} >= set(PAPERS)
    assert home.gate.absolute() in cell.folders


def test_the_demos_papers_answer_in_both_languages(tmp_path: Path) -> None:
    lay_out(tmp_path, 0)
    lay_out(tmp_path, 1)  # twice is once
    index = Index(tmp_path / MANUALS)
    try:
        assert [document.name for document in index.documents()] == ["mill-manual.en.md", "mill-manual.zh.md"]
        assert "25 N·m" in index.search("喷嘴清洗力矩", 1)[0].text
        assert "25 N·m" in index.search("torque nozzles", 1)[0].text
    finally:
        index.close()
