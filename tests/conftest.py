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

SKIPPED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--no-integration-skips`."""
    parser.addoption(
        "--no-integration-skips",
        action="store_true",
        help="fail if an integration test was skipped because its server is missing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin the list."""
    config.stash[SKIPPED] = []


@pytest.fixture(autouse=True)
def _root_log_level() -> Generator[None, None, None]:
    """A test that runs a command sets the process's log level; the next one finds it as it was."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note every integration test that was skipped."""
    report = yield
    if report.skipped and item.get_closest_marker("integration"):
        item.config.stash[SKIPPED].append(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn them into a failure, if asked to."""
    if session.config.getoption("--no-integration-skips") and session.config.stash[SKIPPED]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why the run failed, if it did so because of them."""
    if config.getoption("--no-integration-skips"):
        for nodeid in config.stash[SKIPPED]:
            terminalreporter.write_line(f"integration test skipped: {nodeid}", red=True)
