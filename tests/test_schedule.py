"""A knob as a function of time: what deforum users write, exact values between keys, and errors that point."""

from __future__ import annotations

import contextlib
import math
import pickle
import time
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import ScheduleError
from pipeline.formula import CALLABLE, CONSTANTS, OPERATORS, VARIABLES
from pipeline.schedule import MAX_LENGTH, Schedule

RATE = 30.0


def value(text: str | float, frame: float = 0.0) -> float:
    """At a frame of a clip of 121 frames at 30 frames per second."""
    return Schedule.parse(text).at(frame, frame / RATE, rate=RATE, last=120)


def error(text: str) -> ScheduleError:
    with pytest.raises(ScheduleError) as caught:
        Schedule.parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.9", 0.9), (0.9, 0.9), (3, 3.0), (1e-07, 1e-07), ("-.5", -0.5), ("1/2", 0.5), ("0:(2*pi)", math.tau)],
)
def test_what_never_changes_is_a_constant(text: str | float, expected: float) -> None:
    schedule = Schedule.parse(text)
    assert schedule.constant == expected
    assert schedule.at(7, 0.25) == expected


@pytest.mark.parametrize("text", ["t", "0:(1), 60:(2)", "where(t<5, 1, 2)"])
def test_what_changes_has_no_constant(text: str) -> None:
    assert Schedule.parse(text).constant is None


@pytest.mark.parametrize(
    ("frame", "expected"),
    [(-5, 0.5), (0, 0.5), (15, 0.6), (30, 0.7), (45.5, 0.5 + 0.4 * 45.5 / 60), (60, 0.9), (1e6, 0.9)],
)
def test_between_keys_the_value_is_linear_and_it_holds_outside(frame: float, expected: float) -> None:
    assert value("0:(0.5), 60:(0.9)", frame) == pytest.approx(expected, abs=1e-15)


def test_a_value_is_exact_at_its_key_and_constant_between_equal_keys() -> None:
    keys = "0:(0.1), 7:(0.7), 49:(0.3), 90:(0.3)"
    assert [value(keys, frame) for frame in (0, 7, 49, 53.7, 90)] == [0.1, 0.7, 0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("linear", 0.25),
        ("hold", 0.0),
        ("ease-in", 0.0625),
        ("ease-out", 0.4375),
        ("ease", 0.15625),
        ("", 0.25),
    ],
)
def test_a_word_says_how_a_key_is_left(word: str, expected: float) -> None:
    schedule = Schedule.parse(f"0s:(1) {word}, 8s:(3) hold, 9s:(0)")
    assert schedule.at(0, 2) == pytest.approx(1 + 2 * expected)
    assert schedule.at(0, 8) == schedule.at(0, 8.99) == 3
    assert (schedule.at(0, 0), schedule.at(0, 9), schedule.at(0, 99)) == (1, 0, 0)


def test_at_a_key_only_its_own_expression_counts() -> None:
    assert value("0:(1/(10-t)), 10:(2), 20:(sqrt(10-t))", 10) == 2


def test_without_a_key_0_the_first_value_holds_before_it() -> None:
    assert [value("10:(1), 20:(2)", frame) for frame in (0, 9, 10, 15)] == [1, 1, 1, 1.5]


def test_keys_may_be_in_any_order() -> None:
    ordered, shuffled = "0:(1), 20:(3), 60:(2)", "60:(2), 0:(1), 20:(3)"
    assert all(value(ordered, frame) == value(shuffled, frame) for frame in range(80))


def test_a_key_may_stand_between_frames() -> None:
    assert value("0.5:(1), 1.5:(2)", 1) == 1.5


def test_keys_in_seconds_follow_the_seconds_and_not_the_frames() -> None:
    schedule = Schedule.parse("0s:(0.5), 2.5s:(0.9)")
    assert schedule.at(frame=999, seconds=0) == 0.5
    assert schedule.at(frame=0, seconds=1.25) == pytest.approx(0.7)
    assert schedule.at(frame=0, seconds=2.5) == 0.9


def test_keys_in_frames_follow_the_frames_and_not_the_seconds() -> None:
    assert Schedule.parse("0:(0), 10:(1)").at(frame=5, seconds=999) == 0.5


@pytest.mark.parametrize("text", ["0:(0), 2s:(1)", "0s:(0), 2s:(1)", "2s:(1), 0.0:(0)"])
def test_a_key_0_goes_with_frames_and_with_seconds_and_needs_no_rate(text: str) -> None:
    assert Schedule.parse(text).at(frame=7, seconds=0.5) == 0.25


def test_frames_and_seconds_mix_at_the_rate() -> None:
    mixed, frames = "0:(0), 1s:(6), 45:(3), 2s:(9)", "0:(0), 30:(6), 45:(3), 60:(9)"
    for frame in range(70):
        assert value(mixed, frame) == pytest.approx(value(frames, frame), abs=1e-12)
    assert Schedule.parse("10:(0), 1s:(1)").at(15, 0.5, rate=20) == pytest.approx(
        1 / 3
    )  # 1 s is frame 25 from here


def test_at_a_variable_rate_each_mixed_key_takes_effect_at_its_own_time() -> None:
    schedule = Schedule.parse("10:(1), 3s:(2), 4s:(2), 200:(5)")
    assert schedule.at(frame=10, seconds=2.9, rate=24) == 1
    assert schedule.at(frame=31, seconds=3.0, rate=24) == 2


def test_mixed_keys_without_a_rate_are_an_error_at_every_frame() -> None:
    schedule = Schedule.parse("10:(1), 3s:(2)")
    for frame in (0, 500):
        with pytest.raises(ScheduleError, match="frame rate is not known"):
            schedule.at(frame, frame / 30)


def test_fractions_of_a_second_are_taken_as_they_come() -> None:
    assert Schedule.parse("s*24000/1001").at(1, Fraction(1001, 24000)) == pytest.approx(1)  # type: ignore[arg-type]


def test_deforum_waves_are_mixed_from_key_to_key() -> None:
    text = "0:(0.5+0.3*sin(2*3.14*t/30)), 60:(where(t<5,1,2))"

    def wave(t: float) -> float:
        return 0.5 + 0.3 * math.sin(2 * 3.14 * t / 30)

    assert value(text, 0) == 0.5
    assert value(text, 3) == pytest.approx(wave(3) + 3 / 60 * (1 - wave(3)))
    assert value(text, 45) == pytest.approx(wave(45) + 45 / 60 * (2 - wave(45)))
    assert value(text, 60) == 2


# As they stand in deforum's own defaults, guides and tickets; expected values are numexpr's.
@pytest.mark.parametrize(
    ("text", "frame", "expected"),
    [
        ("0:(1.02+0.02*sin(2*3.14*t/20))", 5, 1.02 + 0.02 * math.sin(1.57)),
        ("0: (0.65)", 100, 0.65),
        ("0:(t%15)", 47, 2),
        ("0:(0), 100:(4)", 50, 2),
        ("0:(-2), 100:(4)", 50, 1),
        ("0: (10*abs(cos(3.14*t/60)))", 20, 10 * math.cos(3.14 / 3)),
        ("0:(arctan(t/30)*2)", 30, math.pi / 2),
        ("0:(where(t<5,1,2))", 4, 1),
        ("0:(where((t>5)&(t<10), 1, 0))", 7, 1),
        ("0:(where((t>5)&(t<10), 1, 0))", 10, 0),
        ("0:(1-t/max_f)", 30, 0.75),
        ("0:(-(t-60)**2/3600)", 30, -0.25),
        ("0:(0.5*(1+cos(3.14159*t/max_f))**3)", 0, 4),
    ],
)
def test_deforum_schedules_mean_what_they_mean_there(text: str, frame: float, expected: float) -> None:
    assert value(text, frame) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1+2*3", 7), ("(1+2)*3", 9), ("7-2-1", 4), ("8/4/2", 1), ("2**3**2", 512), ("-2**2", -4), ("2**-1", 0.5),
        ("(-2)**2", 4), ("-t", -7), ("+t", 7), ("--t", 7), ("t%4", 3), ("-t%4", 1), ("t%-4", -1), ("2*-t", -14),
        ("10-t%4*2", 4), ("t<7", 0), ("t<=7", 1), ("t==7", 1), ("t!=7", 0), ("t>=7", 1), ("t>7", 0),
        ("0.5+0.3*(t>1)", 0.8), ("1+2>2*1", 1), ("(t>5)&(t<6)", 0), ("(t>5)|(t<6)", 1), ("~(t>5)", 0),
        ("~(t>5)|(t==7)", 1), ("(t>5)|(t>5)&(t<6)", 1), ("(t<9)&(t>5)==(t>5)", 1),
        ("1e1+.5+5.+1E-1", 15.6), ("\n 1 +\t2 ", 3),
        ("pi-e", math.pi - math.e), ("max_f", 120), ("s*30", 7),
    ],
)  # fmt: skip
def test_operators_bind_as_in_python_and_numexpr(text: str, expected: float) -> None:
    assert value(text, 7) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sin(t)", math.sin(7)), ("cos(t)", math.cos(7)), ("tan(t)", math.tan(7)), ("asin(t/10)", math.asin(0.7)),
        ("arccos(t/10)", math.acos(0.7)), ("atan2(t, 2)", math.atan2(7, 2)), ("exp(t)", math.exp(7)),
        ("log(t)", math.log(7)), ("log10(t)", math.log10(7)), ("sqrt(t)", math.sqrt(7)), ("abs(-t)", 7),
        ("floor(t/2)", 3), ("ceil(t/2)", 4), ("round(t/4)", 2), ("floor(-t/2)", -4), ("min(t, 3, 5)", 3),
        ("max(t, 3)", 7), ("clip(t, 0, 5)", 5), ("clip(-t, 0, 5)", 0), ("fmod(-t, 4)", -3),
        ("where(t, 2, 3)", 2), ("where(t-7, 2, 3)", 3), ("tanh(t-7)", 0),
    ],
)  # fmt: skip
def test_functions(text: str, expected: float) -> None:
    assert value(text, 7) == pytest.approx(expected)


def test_commas_inside_functions_do_not_split_keys() -> None:
    text = "0:(min(4, max(1, t))), 10:(where(t<12, clip(t, 0, 6), 9)), 20:(atan2(0, 1))"
    assert [value(text, frame) for frame in (0, 10, 20)] == [1, 6, 0]


def test_only_the_side_that_is_chosen_is_evaluated() -> None:
    assert value("where(t>0, 1/t, 5)", 0) == 5
    assert value("(t>0) & (1/t<1)", 0) == 0
    assert value("(t<=0) | (1/t<1)", 0) == 1


def test_max_f_is_the_last_frame_and_an_error_at_every_frame_where_it_is_not_known() -> None:
    schedule = Schedule.parse("where(t<90, 1, t/max_f)")
    assert schedule.uses.keys() == {"t", "max_f"}
    assert schedule.at(100, 0, last=200) == 0.5
    with pytest.raises(ScheduleError, match="last frame") as caught:
        schedule.at(0, 0)
    assert caught.value.at == schedule.text.index("max_f")


# What is wrong, and where the caret stands: under the character marked by the ^ in front of it.
@pytest.mark.parametrize(
    ("marked", "problem"),
    [
        ("^", "the text ends here"),
        ("   ^", "the text ends here"),
        ("0:^0.5, 60:(0.9)", "in parentheses"),
        ("0:(0.5), 60:^0.9", "in parentheses"),
        ("0:(1), 60^(2)", "Expected ':'"),
        ("2.5^m:(1)", "Expected ':'"),
        ("0:(1) ^60:(2)", "',' and the next key"),
        ("0:(1) ^eese-in, 60:(2)", "linear, hold.*Did you mean ease-in"),
        ("0:(1) ease ^in, 60:(2)", "',' and the next key"),
        ("0:(1) ^ease--in, 60:(2)", "how it is left"),
        ("0:(1), 60:(2),^", "Expected a key"),
        ("^-5:(1)", "Expected a key"),
        ("^t:(1)", "Expected a key"),
        ("0:(1), 60:(2^", r"'\)' of the key's value"),
        ("0:(1)^)", "next key"),
        ("0:(^)", "Expected a number"),
        ("0:(1), ^0:(2)", "already"),
        ("30:(1), 0:(3), ^30.0:(2)", "already"),
        ("2s:(1), ^2.0s:(2)", "already"),
        ("0:(1), ^0s:(2)", "already"),
        ("0:(1), 60:(0.5*^tt)", "not known here.*max_f"),
        ("1 + ^sine(t)", "no function sine. Did you mean sin"),
        ("^SIN(t)", "Did you mean sin"),
        ("^PI", "Did you mean pi"),
        ("^max_frames", "Did you mean max_f"),
        ("^t(3)", "no function t"),
        ("^sin + 1", r"sin is a function: sin\(...\)"),
        ("^where(t<5, 1)", "where takes 3 values, and here it has 2"),
        ("^min(t)", "min takes 2 or more values, and here it has 1"),
        ("^sin(t, 2)", "sin takes 1 value, and here it has 2"),
        ("sin(^)", "Expected a number"),
        ("sin(t^", r"'\)' of sin"),
        ("(t^", r"'\)'"),
        ("1 ^1", "Expected an operator"),
        ("1.2^.3", "Expected an operator"),
        ("0 < t ^< 9", "do not chain"),
        ("t>5 ^& t<9", "in parentheses"),
        ("t ^& 1", "takes conditions"),
        ("(t>5) ^| t", "takes conditions"),
        ("^~t", "takes conditions"),
        ("(t>5) ^& (t<9) + 1", "takes conditions"),
        ("(t>5) ^& where(t<9, 2, 3)", "takes conditions"),
        ("t>5 ^and t<9", "And is &"),
        ("^not (t<9)", "Not is ~"),
        ("t ^= 2", "Equal is =="),
        ("1 + ^1e999", "too large"),
        ("2 * (1 ^/ 0)", "1 / 0 is not a finite number"),
        ("^sqrt(-1)", r"sqrt\(-1\) is not a finite number"),
        ("(-8)^**(1/3)", "not a finite number"),
        ("0^**-1", "not a finite number"),
        ("1e308^*10", "not a finite number"),
        ("9**9^**9**9", "not a finite number"),
        ("^²", "Expected a number"),
        ("1^²", "Expected an operator"),
        ("^٣", "Expected a number"),
        ("1^\0", "Expected an operator"),
        ("t^.real", "Expected an operator"),
        ("^__import__(1)", "no function"),
        ("^'a'", "Expected a number"),
        ("^nan", "not known"),
    ],
)  # fmt: skip
def test_an_error_says_what_is_wrong_and_points_at_it(marked: str, problem: str) -> None:
    at = marked.index("^")
    text = marked[:at] + marked[at + 1 :]
    found = error(text)
    assert (found.text, found.at) == (text, at)
    with pytest.raises(ScheduleError, match=problem):
        raise found


def test_the_power_of_other_languages_is_pointed_at() -> None:
    assert error("t^2").at == 1
    assert "A power is **" in str(error("t^2"))


def test_the_message_shows_the_text_with_a_caret_under_the_place() -> None:
    _, shown, caret = str(error("0:(0.5), 60:(0.5*sine(t))")).splitlines()
    assert shown[caret.index("^") :].startswith("sine(t)")


@pytest.mark.parametrize(
    ("text", "frame", "problem"),
    [
        ("1/(t-12)", 12, "1 / 0 at frame 12 is not"),
        ("sqrt(10-t)", 12, r"sqrt\(-2\) at frame 12"),
        ("log(t)", 0, r"log\(0\) at frame 0"),
        ("exp(t)", 1000, r"exp\(1000\) at frame 1000"),
        ("t**t", 1000, r"1000 \*\* 1000 at frame"),
        ("(-t)**0.5", 4, r"-4 \*\* 0.5 at frame 4"),
        ("t%(t-4)", 4, "4 % 0 at frame 4"),
        ("asin(t)", 2, r"asin\(2\) at frame 2"),
        ("t*1e308", 20, "20 .* 1e.308 at frame 20"),
        ("0:(-1e308), 10:(1e308)", 5, "At frame 5"),
        ("t", math.inf, "At frame inf"),
        ("t", math.nan, "At frame nan"),
    ],
)
def test_what_is_no_finite_number_names_the_frame_and_the_values(
    text: str, frame: float, problem: str
) -> None:
    schedule = Schedule.parse(text)
    with pytest.raises(ScheduleError, match=problem) as caught:
        schedule.at(frame, 0)
    assert caught.value.text == text


def test_a_constant_outside_the_range_is_found_before_the_render() -> None:
    with pytest.raises(ScheduleError, match=r"2\.5 is outside 0 to 2, the range of strength") as caught:
        Schedule.parse("0:(1), 60:(2.5), 90:(t)").within(0, 2, "strength")
    assert caught.value.at == len("0:(1), 60:(")
    with pytest.raises(ScheduleError):
        Schedule.parse(-0.001).within(0, 2)


def test_a_range_is_inclusive_and_expressions_are_clamped_to_it() -> None:
    wave = Schedule.parse("0:(0), 10:(4*sin(t))").within(0, 2)
    values = [wave.at(frame, 0) for frame in range(40)]
    assert min(values) == 0
    assert max(values) == 2
    assert Schedule.parse("2").within(0, 2).at(0, 0) == 2
    assert Schedule.parse("4*t").at(1, 0) == 4


def test_schedules_are_equal_hash_alike_and_travel_by_their_text() -> None:
    text = "0:(where(t<5, 1, max(2, t)))"
    schedule = Schedule.parse(text)
    assert schedule == Schedule.parse(text)
    assert hash(schedule) == hash(Schedule.parse(text))
    assert schedule != Schedule.parse(text + " ")
    assert str(schedule) == schedule.text == text
    copy = pickle.loads(pickle.dumps(schedule.within(0, 3)))  # noqa: S301  our own bytes
    assert [copy.at(frame, 0) for frame in (0, 5, 6)] == [1, 3, 3]


@pytest.mark.parametrize(
    "deep",
    ["(" * 5000 + "t" + ")" * 5000, "-" * 5000 + "t", "~" * 5000 + "t", "sin(" * 5000 + "t" + ")" * 5000,
     "t" + "+t" * 5000, "t" + "**t" * 5000, "where(t," * 5000, "(" * 5000, "0:(" + "(" * 5000],
)  # fmt: skip
def test_depth_is_bounded(deep: str) -> None:
    assert 0 <= error(deep).at <= len(deep)


@pytest.mark.parametrize(
    "text", ["(" * 99 + "t" + ")" * 99, "-" * 99 + "t", "t" + "+t" * 99, "abs(" * 99 + "t" + ")" * 99]
)
def test_up_to_its_bound_depth_is_fine(text: str) -> None:
    assert abs(value(text, 1)) in (1, 100)


def test_length_is_bounded_and_a_key_for_every_frame_of_a_song_is_fine() -> None:
    assert value(
        ", ".join(f"{frame}: ({frame / 100:.2f})" for frame in range(9000)), 8000.5
    ) == pytest.approx(80.005)
    found = error("1" + " " * MAX_LENGTH)
    assert len(str(found)) < 300
    assert found.at <= len(found.text)


def try_everything(text: str) -> None:
    """Parse, restrict and evaluate: a finite number, or a ScheduleError that points into the text, and soon."""
    start, found = time.thread_time(), None
    try:
        schedule = Schedule.parse(text)
        for frame, seconds in ((0, 0.0), (7.5, 0.3), (-1, -1.0), (1e9, 1e300)):
            assert math.isfinite(schedule.at(frame, seconds, rate=24, last=100))
        assert 0 <= schedule.within(0, 1).at(3, 0.1, rate=24, last=100) <= 1
    except ScheduleError as stumble:
        found = stumble
    assert found is None or (found.text == text and 0 <= found.at <= len(text))
    assert time.thread_time() - start < 0.5


PIECES = "** & | ~ ( ) , : 0 1 2.5 .5 1e308 1e-320 9 s 0: 0:( 60:( 2s:( ), where( ^ = and x . ² \0"
TOKENS = [*OPERATORS, *CALLABLE, *VARIABLES, *CONSTANTS, *PIECES.split(" ")]


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(max_size=40))
@example("float('²')")
@example("0:(1), 1s:(2), 24:(3)")
def test_any_text_gives_a_number_or_a_schedule_error(text: str) -> None:
    try_everything(text)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=20), st.sampled_from(["", " "]))
def test_any_soup_of_tokens_gives_a_number_or_a_schedule_error(tokens: list[str], between: str) -> None:
    try_everything(between.join(tokens))


def over(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of smaller ones."""
    binary = st.builds("{1}{0}{2}".format, st.sampled_from([*OPERATORS, "**"]), inner, inner)
    ternary = st.builds(
        "{}({}, {}, {})".format, st.sampled_from(["where", "clip", "max"]), inner, inner, inner
    )
    unary = st.builds(
        "{}({})".format, st.sampled_from(["", "-", "sin", "floor", "log", "arctan", "abs"]), inner
    )
    return st.one_of(binary, ternary, unary)


EXPRESSIONS = st.recursive(
    st.sampled_from(["t", "s", "max_f", "pi", "0.", "1.", "-.5", "1e200"]), over, max_leaves=8
)
KEYS = st.builds(
    "{}{}:({})".format, st.sampled_from(["0", "7", "24", "1e308"]), st.sampled_from(["", "s"]), EXPRESSIONS
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=4).map(", ".join))
def test_any_keys_give_a_number_or_a_schedule_error(text: str) -> None:
    try_everything(text)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(EXPRESSIONS)
@example("-t**2+max_f/s*t-1.")
@example("1.+t<t*s-0.")
def test_where_python_has_a_value_for_an_expression_it_is_ours(text: str) -> None:
    known = {
        **{"sin": math.sin, "log": math.log, "arctan": math.atan, "abs": abs, "max": max, "pi": math.pi},
        "floor": lambda x: float(math.floor(x)),  # no integers: their powers take for ever
        "clip": lambda x, low, high: min(max(x, low), high),
        "where": lambda condition, yes, no: yes if condition else no,
        **{"t": 7.0, "s": 0.3, "max_f": 100.0, "__builtins__": {}},
    }
    found = expected = None
    with contextlib.suppress(ArithmeticError, ValueError, TypeError):
        expected = float(eval(text, known))  # noqa: S307  the text is our own
    with contextlib.suppress(ScheduleError):
        found = Schedule.parse(text).at(7, 0.3, last=100)
    assert None in (found, expected) or found == pytest.approx(expected, rel=1e-12)
