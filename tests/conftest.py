"""For every test: skipped integration tests can be made to count as failures, which CI does."""

import logging
from collections.abc import Generator

import pytest
from hypothesis import settings

# No test depends on how busy the machine is, and a failure is the same for everybody.
settings.register_profile("oido", deadline=None, derandomize=True)
settings.load_profile("oido")

pytest_plugins = ["pulse", "broker"]
"""The fixtures `pulse` (a microphone) and `mosquitto` (a broker), for tests/integration."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--no-integration-skips`."""
    parser.addoption(
        "--no-integration-skips",
        action="store_true",
        help="fail if an integration test was skipped because its server is missing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch for skips, if asked to."""
    if config.getoption("--no-integration-skips"):
        config.pluginmanager.register(IntegrationSkips())


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
