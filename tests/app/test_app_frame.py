"""The app's frame: main screens, keys, help, quitting, settings, and a run's events on screen."""

from __future__ import annotations

import asyncio

import pytest
from app_support import ScriptedRun, make_app, screen_text, until, whole_run, write_run
from textual.command import CommandPalette

from nexus_engine.event_lines import encode_event
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.kit.key_bar import hidden_keys
from nexus_tui.app.run_sources import LoggedRun
from nexus_tui.settings.app import read_ui_settings

pytestmark = pytest.mark.usefixtures("home")


def driven(act, size=(80, 24), **settings):
    """Run the coroutine `act(app, pilot)` on an app of this size."""

    async def run():
        app = make_app(**settings)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(run())


def test_keys_go_to_the_main_screens_and_the_bar_names_them():
    async def act(app, pilot):
        for key, mode in (("2", "live"), ("3", "playground"), ("4", "compare"), ("1", "runs")):
            await pilot.press(key)
            await pilot.pause()
            assert app.current_mode == mode
        assert "1 Runs 2 Live 3 Playground 4 Compare" in screen_text(app).splitlines()[0]

    driven(act)


def test_the_keys_in_force_are_shown_and_can_be_changed():
    async def act(app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(app)
        assert "app.quit" in text
        assert "f9" in text.lower()
        await pilot.press("escape")
        await pilot.press("f9")
        await pilot.pause()
        assert app.current_mode == "compare"

    driven(act, size=(80, 50), keys={"go.compare": "f9", "no.such": "x"})


@pytest.mark.parametrize(
    ("room", "hidden"),
    [(23, set()), (22, {2}), (17, {2}), (16, {1, 2}), (12, {0, 1, 2}), (0, {0, 1, 2})],
)
def test_the_last_keys_are_hidden_first_and_some_never(room, hidden):
    assert hidden_keys([3, 3, 5, 4, 4], [False, False, False, True, True], room) == hidden


FIRST = "enter Open n New / Filter c Compare e Export"


KEYS = (
    (92, f"{FIRST} p Query t Teach u Resume s Sweeps ? Keys q Quit"),
    (90, f"{FIRST} p Query t Teach u Resume ? Keys q Quit"),
    (74, f"{FIRST} p Query t Teach ? Keys q Quit"),
    (70, f"{FIRST} p Query ? Keys q Quit"),
    (60, f"{FIRST} ? Keys q Quit"),
)
"""By columns: the keys of the list of runs."""


@pytest.mark.parametrize(("columns", "keys"), KEYS)
def test_keys_without_room_are_hidden_not_cut(home, columns, keys):
    write_run(home / "data" / "nexus" / "runs", "alpha", whole_run())

    async def act(app, pilot):
        def shown():
            return screen_text(app).splitlines()[-1].rstrip()

        await until(pilot, lambda: shown() == keys)
        await pilot.resize_terminal(100, 24)
        await until(pilot, lambda: shown() == KEYS[0][1])
        await pilot.resize_terminal(columns, 20)
        await until(pilot, lambda: shown() == keys)

    driven(act, size=(columns, 20))


def test_a_longer_key_of_the_user_needs_more_room(home):
    write_run(home / "data" / "nexus" / "runs", "alpha", whole_run())
    keys = "enter Open n New / Filter c Compare ? Keys ^pgdn Quit"

    async def act(app, pilot):
        await until(pilot, lambda: screen_text(app).splitlines()[-1].rstrip() == keys)

    driven(act, size=(60, 20), keys={"app.quit": "ctrl+pagedown"})


def test_the_palette_closes_itself_and_no_screen_below_it():
    async def act(app, pilot):
        await pilot.press("ctrl+p")
        palette = app.screen
        assert isinstance(palette, CommandPalette)
        palette.dismiss()
        palette.dismiss()  # as a second key in its queue does
        await pilot.pause()
        assert app.current_mode == "runs"
        assert len(app.screen_stack) == 1
        assert not app.crash

    driven(act)


def test_the_command_palette_offers_themes_and_each_action_once():
    async def act(app, pilot):
        offered = {command.title: command for command in app.get_system_commands(app.screen)}
        assert {"Quit", "Keys", "Open", "Filter", "Sweeps", "Playground"} <= set(offered)
        assert offered["Sweeps"].help == "go.sweeps"
        offered["Theme: nexus-light"].callback()
        assert app.theme == "nexus-light"
        offered["Playground"].callback()
        await until(pilot, lambda: app.current_mode == "playground")

    driven(act)


def test_the_bar_shows_the_open_run():
    async def act(app, pilot):
        run = ScriptedRun(whole_run()[:-1])
        app.open_source(run, show=False)
        app._poll()
        await pilot.pause()
        assert "epoch 3/3" in screen_text(app).splitlines()[0]
        assert "best 0.5200" in screen_text(app).splitlines()[0]

    driven(act, size=(100, 24))


def test_a_logged_run_is_replayed_and_then_followed(home):
    folder = write_run(home / "runs", "r", whole_run()[:20])
    source = LoggedRun(folder)
    first = source.drain()
    assert len(first) == 20
    with (folder / "events.jsonl").open("a") as file:
        rest = whole_run()[20:]
        file.write("\n".join(encode_event(event) for event in rest) + '\n{"event": "st')
    assert source.drain() == rest
    assert source.drain() == []
    assert not source.live()
    source.steer("pause")
    assert '"ask": "pause"' in (folder / "control.jsonl").read_text()


def test_quitting_without_a_live_run_asks_nothing():
    async def act(app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running or not isinstance(app.screen, Question)

    driven(act)


def test_a_narrow_screen_is_one_line_of_state():
    async def act(app, pilot):
        app.open_source(ScriptedRun(whole_run()[:-1]), show=False)
        app._poll()
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert "NEXUS" in lines[0]
        assert "best 0.5200" in lines[0]
        assert all(not line.strip() for line in lines[1:])

    driven(act, size=(38, 10))


def test_ui_settings_come_from_the_nearest_place(home, monkeypatch):
    monkeypatch.chdir(home)
    own_file = home / "config" / "nexus" / "nexus.toml"
    own_file.parent.mkdir(parents=True)
    own_file.write_text('[ui]\ntheme = "nexus-light"\nasci = true\n[ui.keys]\n"run.pause" = "f5"\n')
    (home / "nexus.toml").write_text('[ui]\ntheme = "nexus-contrast"\nlow_bandwidth = "yes"\n')
    settings = read_ui_settings(ascii_only=True)
    assert settings.theme == "nexus-contrast"
    assert (settings.ascii, settings.low_bandwidth) == (True, False)
    assert settings.keys == {"run.pause": "f5"}
    assert "did you mean ascii?" in settings.warnings[0]
    assert "true or false" in settings.warnings[1]
