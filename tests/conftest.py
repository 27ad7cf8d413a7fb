"""For every test: which of them run, and skipped integration tests as failures, which CI wants."""

import importlib.util
import logging
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# No test depends on how busy the machine is, and a failure is the same for everybody.
settings.register_profile("oido", deadline=None, derandomize=True)
settings.load_profile("oido")

pytest_plugins = ["pulse", "broker"]
"""The fixtures `pulse` (a microphone) and `mosquitto` (a broker), for tests/integration."""


DEFAULT_MARKS = "not soak and not training"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--all` and `--no-integration-skips`."""
    parser.addoption("--all", action="store_true", help="run soaks and trainings too, which take minutes")
    parser.addoption(
        "--no-integration-skips",
        action="store_true",
        help="fail if an integration test was skipped because its server is missing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Leave out soaks and trainings, unless asked for by `--all` or `-m`; watch for skips, if asked to."""
    # A shell's background job ignores Ctrl-C, and so would all programs that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not config.option.markexpr and not config.getoption("--all"):
        config.option.markexpr = DEFAULT_MARKS
    if config.getoption("--no-integration-skips"):
        config.pluginmanager.register(IntegrationSkips())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip trainings where TensorFlow is missing."""
    if importlib.util.find_spec("tensorflow") is None:
        missing = pytest.mark.skip(reason="TensorFlow is not installed; pip install 'oido[train]'")
        for item in items:
            if item.get_closest_marker("training"):
                item.add_marker(missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and how to run it."""
    if config.option.markexpr == DEFAULT_MARKS:
        terminalreporter.write_line("soaks and trainings were left out; to run them too: bash tests/run --all")


class IntegrationSkips:
    """Makes skipped integration tests failures, also of those that ran in another process (pytest-xdist)."""

    def __init__(self) -> None:
        self._skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note them."""
        if report.skipped and "integration" in report.keywords:
            self._skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run."""
        if self._skipped:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        for nodeid in self._skipped:
            terminalreporter.write_line(f"integration test skipped: {nodeid}", red=True)


@pytest.fixture(autouse=True)
def _root_log_level() -> Generator[None, None, None]:
    """A test that runs a command sets the process's log level; the next one finds it as it was."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
