"""Teach: single keys judge, each verdict is on the disk first, and every step can be taken back."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from app_support import make_app, on_screen, screen_text
from teach_support import ScriptedAsker, demo_pairs, demo_questions, driven, lines_of, shown

from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.verdicts import pair_key, search_key
from nexus_tui.app.kit.lines_question import LinesQuestion
from nexus_tui.app.kit.pinned import pins_file, read_pins
from nexus_tui.app.teach.keys import key_problem
from nexus_tui.app.teach.state import TeachRequest

pytestmark = pytest.mark.usefixtures("home")


def told(app):
    """The messages in the corner."""
    return " ".join(str(notification.message) for notification in app._notifications)


def labels_of(app):
    return lines_of(app.labels.path)


ANSWERS = {
    "0": {"answer": "grade", "grade": 0},
    "5": {"answer": "grade", "grade": 5},
    "y": {"answer": "same", "same": True},
    "n": {"answer": "same", "same": False},
    "u": {"answer": "unsure"},
    "s": {"answer": "skip"},
}


def test_one_key_judges_a_pair_and_the_next_one_is_asked():
    pairs = demo_pairs(len(ANSWERS) + 1)

    async def act(app, pilot):
        for key, pair in zip(ANSWERS, pairs, strict=False):
            assert (app.teach.item.first, app.teach.item.second) == pair
            await pilot.press(key)
            await shown(app, pilot)
        lines = labels_of(app)
        for answer, pair, line in zip(ANSWERS.values(), pairs, lines, strict=False):
            assert (line["a"], line["b"]) == pair
            assert line | answer == line
            assert line["part"] in ("train", "dev", "test")
        assert len(lines) == len(ANSWERS)
        assert (app.teach.item.first, app.teach.item.second) == pairs[-1]

    driven(act, kind="pairs")


def test_a_first_pair_is_asked_while_the_model_is_read(tmp_path):
    """It can be judged at once, and the model does not ask it again."""
    texts = ["The gasket of the pump leaks.", "A pump needs a gasket.", "The hall is closed."]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    released, opened = threading.Event(), []

    def late(spec, model, judged, verdicts, check, read):
        opened.append((judged, read.corpus.sentences))
        assert released.wait(60)
        return ScriptedAsker(spec, kinds=("pairs", "search"))

    async def whole():
        app = make_app(TeachRequest(str(tmp_path / "texts.txt"), tmp_path / "labels.jsonl"))
        app.teach._open_asker = late
        async with app.run_test(size=(80, 24)) as pilot:
            await on_screen(app, pilot, "these share words")
            first = app.teach.item
            assert {first.first, first.second} == set(texts[:2])
            await pilot.press("4")
            await on_screen(app, pilot, "Reading")
            assert [line["grade"] for line in lines_of(tmp_path / "labels.jsonl")] == [4]
            released.set()
            await shown(app, pilot)
            assert app.teach.item.first == demo_pairs(1)[0][0]
            await pilot.press("ctrl+z")
            await shown(app, pilot)
            assert app.teach.item is first
        assert opened == [({first.key}, texts)]

    asyncio.run(whole())


def test_passages_are_marked_by_the_cursor_or_by_number_and_the_rest_stays_unknown():
    async def act(app, pilot):
        item = app.teach.item
        await pilot.press("n", "y", "8", "j", "u", "0", "0")
        await shown(app, pilot)
        marked = {line["passage"]: line.get("relevant", line["answer"]) for line in labels_of(app)}
        texts = [passage.text for passage in item.passages]
        # The cursor goes on to the next passage without a mark: after 8 to 9, by j to 0.
        assert marked == {texts[0]: False, texts[1]: True, texts[7]: True, texts[9]: False}
        assert item.marks[9] == "no"  # it was marked unsure, an answer, and no answer
        assert item.marks.count("") == 10 - len(marked)
        assert app.teach.item is item
        await pilot.press("enter")
        await shown(app, pilot)
        assert app.teach.item.question == demo_questions(2)[1]

    driven(act)


def test_a_question_without_a_mark_is_skipped_so_that_it_is_not_asked_again():
    async def act(app, pilot):
        question = app.teach.item.question
        await pilot.press("enter")
        await shown(app, pilot)
        [line] = labels_of(app)
        assert (line["answer"], line["question"]) == ("skip", question)
        assert app.teach.item.question != question

    driven(act)


def test_every_answer_since_the_start_is_taken_back_in_turn_whatever_it_was_about():
    async def act(app, pilot):
        question = app.teach.item.question
        await pilot.press("y", "enter", "n")
        await pilot.press("right_square_bracket")
        await shown(app, pilot)
        pair = app.teach.item
        await pilot.press("3")
        await shown(app, pilot)
        await pilot.press("backspace")
        await shown(app, pilot)
        assert app.teach.item is pair
        await pilot.press("ctrl+z")
        await shown(app, pilot)
        assert app.teach.feed.kind == "search"
        assert app.teach.item.question == demo_questions(2)[1]
        assert app.teach.item.marks == [""] * 10
        await pilot.press("backspace")
        await shown(app, pilot)
        assert app.teach.item.question == question
        assert app.teach.item.cursor == 0
        assert app.teach.item.marks == [""] * 10
        await pilot.press("backspace")
        await shown(app, pilot)
        assert "nothing is left to take back" in told(app)
        lines = labels_of(app)
        assert [line["kind"] for line in lines] == ["search", "search", "pair", *["undo"] * 3]
        assert [line["undoes"] for line in lines[3:]] == [line["id"] for line in lines[2::-1]]
        assert app.teach.tally.judged == 0
        await pilot.press("y")  # what came after is asked again, in its order
        await pilot.press("enter")
        await shown(app, pilot)
        assert app.teach.item.question == demo_questions(2)[1]

    driven(act)


def test_a_verdict_that_cannot_be_written_stays_on_its_item_with_one_line(monkeypatch):
    async def act(app, pilot):
        item = app.teach.item

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("nexus_engine.labels.label_file.append_to", full)
            await pilot.press("4")
            await shown(app, pilot)
            assert app.teach.item is item
            assert labels_of(app) == []
            await on_screen(app, pilot, "the verdict was not saved")
            assert app.teach.tally.judged == 0
        await pilot.press("4")
        await shown(app, pilot)
        assert app.teach.item is not item
        assert "not saved" not in screen_text(app)
        assert len(labels_of(app)) == 1

    driven(act, kind="pairs")


def test_jump_returns_to_a_verdict_by_number_or_by_words_and_it_can_be_changed():
    pairs = demo_pairs(3)

    async def act(app, pilot):
        await pilot.press("1", "2")
        await shown(app, pilot)
        waiting = app.teach.item
        await pilot.press("slash")
        await pilot.pause()
        assert isinstance(app.screen, LinesQuestion)
        await pilot.press("1", "enter")
        await shown(app, pilot)
        assert (app.teach.item.first, app.teach.item.second) == pairs[0]
        await on_screen(app, pilot, "verdict 1 of 2")
        await pilot.press("5")
        await shown(app, pilot)
        assert app.teach.item is waiting
        standing = app.teach.tally.standing(app.labels.rater)
        assert [verdict.grade for verdict in standing] == [5, 2]
        word = pairs[1][1].split()[0]
        app.teach.jump(word.upper())
        await shown(app, pilot)
        await on_screen(app, pilot, "verdict")
        app.teach.jump("99")
        await shown(app, pilot)
        assert "no verdict of yours has this number" in told(app)

    driven(act, kind="pairs")


def test_a_pair_is_edited_before_it_is_judged_and_not_asked_again_as_it_was():
    [(first, second)] = demo_pairs(1)

    async def act(app, pilot):
        await pilot.press("e")
        await pilot.pause()
        app.screen.focused.value = "an edited text"
        await pilot.press("enter", "enter")
        await pilot.pause()
        await on_screen(app, pilot, "edited by you")
        await pilot.press("2")
        await shown(app, pilot)
        [line] = labels_of(app)
        assert (line["a"], line["b"], line["grade"]) == ("an edited text", second, 2)
        assert line["asked"] == pair_key(first, second)
        assert {pair_key(first, second), pair_key("an edited text", second)} <= set(
            app.labels.judged_keys()
        )

    driven(act, kind="pairs")


def test_a_question_is_edited_or_asked_by_the_user():
    async def act(app, pilot):
        asked = app.teach.item.question
        await pilot.press("e")
        await pilot.pause()
        app.screen.focused.value = "other words"
        await pilot.press("enter")
        await shown(app, pilot)
        await on_screen(app, pilot, "Edited by you")
        await pilot.press("y")
        await shown(app, pilot)
        [line] = labels_of(app)
        assert line["question"] == "other words"
        assert line["asked"] == search_key(asked, line["passage"])
        await pilot.press("i")
        await pilot.pause()
        await pilot.press(*"mine", "enter")
        await shown(app, pilot)
        assert app.teach.item.question == "mine"
        await pilot.press("y", "enter")
        await shown(app, pilot)
        assert app.teach.item.question == "other words"  # it was put off, not dropped

    driven(act)


def test_pins_of_questions_and_pairs_are_kept_and_removed_by_the_same_key():
    async def act(app, pilot):
        question = app.teach.item.question
        await pilot.press("p")
        await shown(app, pilot)
        await on_screen(app, pilot, "pinned")
        await pilot.press("right_square_bracket")
        await shown(app, pilot)
        await pilot.press("p")
        await shown(app, pilot)
        await pilot.pause(0.1)
        book = read_pins(pins_file())
        assert book.questions == (question,)
        assert [pin.pair for pin in book.pins] == demo_pairs(1)
        await pilot.press("p")
        await pilot.press("right_square_bracket")
        await shown(app, pilot)
        await pilot.press("p")
        await pilot.pause(0.1)
        assert not pins_file().exists()

    driven(act)


def test_the_asker_learns_what_was_judged_before_and_each_verdict(home):
    path = home / "mine.jsonl"
    with LabelFile.open(path, "somebody") as file:
        file.judge_pair("a", "b", "grade", grade=1)
    seen = {}

    async def act(app, pilot):
        await pilot.press("y")
        await shown(app, pilot)
        seen["noted"] = len(app.teach.feed.asker.noted)
        await on_screen(app, pilot, "2 judged")
        await on_screen(app, pilot, "mine.jsonl")

    from nexus_tui.app.teach.state import TeachRequest

    driven(act, request=TeachRequest("demo-search", path, "somebody"))
    assert seen["noted"] == 1
    [earlier, fresh] = lines_of(path)
    assert (earlier["rater"], fresh["rater"]) == ("somebody", "somebody")


def test_a_label_file_that_another_process_writes_to_is_left_to_it(home):
    path = home / "held.jsonl"
    from nexus_tui.app.teach.state import TeachRequest

    async def act(app, pilot):
        text = screen_text(app)
        assert "Nothing can be asked" in text
        assert "is being written to by" in " ".join(text.split())
        assert app.teach.item is None

    with LabelFile.open(path, "somebody"):
        driven(act, request=TeachRequest(None, path, None))


def test_texts_without_a_question_open_on_pairs_and_say_so_of_questions():
    async def act(app, pilot):
        assert app.teach.feed.kind == "pairs"
        assert app.teach.item is not None
        await pilot.press("right_square_bracket")
        await on_screen(app, pilot, "These texts hold no question")
        await on_screen(app, pilot, "ask one of your own")
        await pilot.press("right_square_bracket")
        await shown(app, pilot)
        assert app.teach.item is not None

    driven(act, kind="pairs", asker=ScriptedAsker(kinds=("pairs", "search"), questions=0))


def test_questions_that_were_all_judged_before_are_not_said_to_be_missing():
    async def act(app, pilot):
        await on_screen(app, pilot, "Everything was asked")
        assert "hold no question" not in screen_text(app)

    driven(act, asker=ScriptedAsker(questions=0))


def test_when_nothing_is_left_the_screen_says_what_to_do():
    async def act(app, pilot):
        await pilot.press("5", "4")
        await shown(app, pilot)
        text = screen_text(app)
        assert "Everything was asked" in text
        await pilot.press("4")  # one more answers nothing, and leads nowhere
        await shown(app, pilot)
        assert app.current_mode == "teach"
        assert "retrain on the verdicts" in text
        await pilot.press("backspace")
        await shown(app, pilot)
        assert app.teach.item is not None

    driven(act, kind="pairs", asker=ScriptedAsker(pairs=2))


def test_it_fits_and_shows_the_keys_that_judge():
    async def act(app, pilot):
        await pilot.press("y", "n")
        await shown(app, pilot)
        for size in ((60, 20), (120, 40), (40, 10), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = screen_text(app)
            assert demo_questions(1)[0][:20] in text
            if size[0] >= 60:
                assert "takes it back" in text
                assert "2 judged" in text
        await pilot.press("right_square_bracket")
        await shown(app, pilot)
        for size in ((60, 20), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            text = screen_text(app)
            for grade, name in enumerate(("unrelated", "opposite", "differs", "partly", "nearly")):
                assert f"{grade} {name}" in text

    driven(act)


def test_keys_of_the_users_choice_judge_and_are_shown():
    keys = {"teach.grade_3": "f", "teach.same": "n", "teach.not_same": "y"}

    async def act(app, pilot):
        await on_screen(app, pilot, "f partly")
        await on_screen(app, pilot, "n same")
        await pilot.press("f", "n", "3")
        await shown(app, pilot)
        first, second = labels_of(app)
        assert first["grade"] == 3
        assert second["same"] is True

    driven(act, kind="pairs", keys=keys)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, ""),
        ({"run.pause": "n"}, ""),
        ({"teach.same": "n", "teach.not_same": "y"}, ""),
        ({"teach.grade_0": "a", "teach.undo": "ctrl+u,f5"}, ""),
        ({"teach.grade_0": "q", "app.quit": "ctrl+x"}, ""),
        ({"teach.same": "n"}, "teach.same and teach.not_same share the key n"),
        ({"teach.answers": "j"}, "teach.answers and teach.down share the key j"),
        ({"teach.skip": "q"}, "app.quit and teach.skip share the key q"),
        ({"teach.smae": "x"}, "no action is called teach.smae; did you mean teach.same?"),
        ({"teach.skip": "foo"}, "foo is no key"),
        ({"teach.skip": ""}, "an empty text is no key"),
    ],
)
def test_a_clash_or_an_unknown_key_is_found_before_the_screen_opens(keys, problem):
    found = key_problem(keys)
    assert problem in found
    assert bool(problem) == bool(found)
    assert "\n" not in found


def test_texts_of_the_user_are_in_the_label_file_and_in_no_repr():
    async def act(app, pilot):
        question = app.teach.item.question
        assert question not in repr(app.teach.item)
        assert question not in repr(app.teach.item.answer(0, relevant=True))
        await pilot.press("y")
        await shown(app, pilot)
        assert question in app.labels.path.read_text()
        assert json.loads(app.labels.path.read_text().splitlines()[0])["nexus_labels"] == 1

    driven(act)
