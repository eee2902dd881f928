"""The arithmetic of schedules: text -> a small tree that gives a float at each moment.

    expression  operators, loosest first:  < <= == != >= >   |   &   + -   * / %   unary - + ~   **
    atom        number | variable | function(expression, ...) | (expression)
    heard       beat(t), level(t): of a sound or a tempo (pipeline/pulse.py), at a frame, or with s at a time

Deforum hands its schedules to numexpr; what works there means the same here: precedence, the names of
functions, % with the sign of its right side. What would mean something else is refused, not guessed: comparisons
do not chain, and & | ~ take conditions only. `where`, & and | look only at the side they need, so
`where(t>0, 1/t, 0)` has a value at t = 0.

Text is never given to Python to run. All numbers are floats, and nesting and results are bounded.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from pipeline.errors import ScheduleError, did_you_mean
from pipeline.formula import (
    CALLABLE,
    COMPARISON,
    CONSTANTS,
    FUNCTIONS,
    HEARD,
    OPERATORS,
    PRECEDENCE,
    TAKES,
    VARIABLES,
    Call,
    Choice,
    Expression,
    Heard,
    Now,
    Number,
    Variable,
)

MAX_DEPTH = 100  # reading a level costs five Python frames, of the thousand there are

HINTS = {"^": "A power is **.", "=": "Equal is ==.", "and": "And is &.", "or": "Or is |.", "not": "Not is ~."}


class Token(NamedTuple):
    """A word, number or sign of the text, and where it begins."""

    kind: str  # number, name, symbol, other, or end with text ""
    text: str
    at: int


TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<symbol>\*\*|[<>=!]=|[-+*/%<>&|~(),:])"
    r"|(?P<other>\S)"
)


class Parser:
    """Reads `text` from left to right. `uses`: the variables met, each with its first place; `hears`: so of HEARD.

    Everything it cannot read raises ScheduleError, pointing at the place.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.uses: dict[str, int] = {}
        self.hears: dict[str, int] = {}
        self._tokens = [Token(str(it.lastgroup), it[0], it.start()) for it in TOKEN.finditer(text)]
        self._tokens.append(Token("end", "", len(text)))
        self._next = 0
        self._nesting = 0

    @property
    def token(self) -> Token:
        """The next, left where it is."""
        return self._tokens[self._next]

    def takes(self, text: str) -> bool:
        """Step over `text`, if it comes next."""
        found = self.token.text == text
        self._next += found
        return found

    def expect(self, text: str, wanted: str) -> None:
        """Step over `text` ("" is the end), or say that `wanted` was expected and what stands there."""
        if not self.takes(text):
            found = f"found {self.token.text!r}" if self.token.text else "the text ends here"
            self.fail(f"Expected {wanted}, but {found}. {HINTS.get(self.token.text, '')}".rstrip())

    def fail(self, problem: str, token: Token | None = None) -> NoReturn:
        """Raises ScheduleError, pointing at a token; None: the next."""
        raise ScheduleError(problem, self.text, (token or self.token).at)

    def number(self) -> float:
        """The next token, which has to be one. ScheduleError."""
        value = float(self.token.text)
        if math.isinf(value):
            self.fail("This number is too large.")
        self._next += 1
        return value

    def word(self) -> str:
        """Step over a word, such as ease-in: names with a minus between them."""
        word, end = "", self.token.at
        while self.token.at == end and (self.token.kind == "name" or (word and self.token.text == "-")):
            word += self.token.text
            end += len(self.token.text)
            self._next += 1
        return word

    def expression(self, loosest: int = COMPARISON) -> Expression:
        """Precedence climbing: reads on while operators bind at least as tightly as `loosest`."""
        left = self._unary()
        while (level := PRECEDENCE.get(self.token.text, 0)) >= loosest:
            symbol = self.token
            self._next += 1
            left = self._binary(symbol, left, self.expression(level + 1))
            if level == COMPARISON == PRECEDENCE.get(self.token.text):
                self.fail("Comparisons do not chain: 0<t<9 is (0<t) & (t<9).")
        return left

    def _binary(self, symbol: Token, left: Expression, right: Expression) -> Expression:
        if symbol.text not in "&|":
            return self._call(symbol, OPERATORS[symbol.text], left, right)
        first, second = self._condition(symbol, left), self._condition(symbol, right)
        yes, no = (second, Number(0)) if symbol.text == "&" else (Number(1), second)
        return self._choice(symbol, first, yes, no)

    def _unary(self) -> Expression:
        self._nesting += 1  # all recursion comes through here
        if self._nesting > MAX_DEPTH:
            self.fail(f"This is nested more than {MAX_DEPTH} deep.")
        sign = self.token
        if self.takes("-"):
            result = self._call(sign, operator.neg, self._unary())
        elif self.takes("+"):
            result = self._unary()
        elif self.takes("~"):
            result = self._choice(sign, self._condition(sign, self._unary()), Number(0), Number(1))
        else:
            result = self._atom()
            symbol = self.token
            if self.takes("**"):
                result = self._call(symbol, math.pow, result, self._unary())
        self._nesting -= 1
        return result

    def _atom(self) -> Expression:
        if self.token.kind == "number":
            return Number(self.number())
        if self.token.kind == "name" and self.token.text not in HINTS:
            return self._named()
        self.expect("(", "a number, a variable, a function or '('")
        inside = self.expression()
        self.expect(")", "an operator or ')'")
        return inside

    def _named(self) -> Expression:
        name = self.token
        self._next += 1
        if self.takes("("):
            return self._function(name)
        if name.text in VARIABLES:
            self.uses.setdefault(name.text, name.at)
            return Variable(name.text)
        if name.text in CALLABLE:
            self.fail(f"{name.text} is a function: {name.text}(...).", name)
        if name.text not in CONSTANTS:
            known = ", ".join(f"{variable} ({meaning})" for variable, meaning in VARIABLES.items())
            close = did_you_mean(name.text.lower(), (*VARIABLES, *CONSTANTS, *CALLABLE))
            self.fail(f"{name.text} is not known here. There are {known}, pi and e.{close}", name)
        return Number(CONSTANTS[name.text])

    def _function(self, name: Token) -> Expression:
        if name.text not in CALLABLE:
            close = did_you_mean(name.text.lower(), CALLABLE)
            self.fail(f"There is no function {name.text}.{close}", name)
        if name.text in HEARD:
            return self._heard(name)
        arguments = [self.expression()]
        while self.takes(","):
            arguments.append(self.expression())
        self.expect(")", f"an operator, ',' or the ')' of {name.text}")
        count, more = TAKES.get(name.text, 1), name.text in ("min", "max")
        if len(arguments) < 2 if more else len(arguments) != count:
            wanted = "2 or more values" if more else f"{count} value{'s'[: count > 1]}"
            self.fail(f"{name.text} takes {wanted}, and here it has {len(arguments)}.", name)
        if name.text == "where":
            return self._choice(name, *arguments)
        return self._call(name, FUNCTIONS[name.text], *arguments)

    def _heard(self, name: Token) -> Expression:
        """Its moment counts frames, or seconds where it reads s."""
        before, self.uses = self.uses, {}
        moment, read = self.expression(), self.uses
        self.uses = read | before
        self.expect(")", f"an operator or the ')' of {name.text}")
        if {"s", "t"} <= read.keys():
            problem = (
                f"{name.text} takes a moment: frames, {name.text}(t), or seconds, {name.text}(s), not both."
            )
            self.fail(problem, name)
        self.hears.setdefault(name.text, name.at)
        return Heard(name.text, moment, "s" in read, self._depth(name, moment), self.text, name.at)

    def _call(self, name: Token, function: Callable[..., float], *arguments: Expression) -> Expression:
        call = Call(name.text, function, arguments, self._depth(name, *arguments), self.text, name.at)
        return Number(call.evaluate(Now({}))) if all(isinstance(a, Number) for a in arguments) else call

    def _choice(self, name: Token, condition: Expression, yes: Expression, no: Expression) -> Expression:
        if isinstance(condition, Number):
            return yes if condition.value else no
        return Choice(condition, yes, no, self._depth(name, condition, yes, no))

    def _depth(self, name: Token, *parts: Expression) -> int:
        depth = 1 + max(part.depth for part in parts)
        if depth > MAX_DEPTH:  # a long sum is a deep tree too, with nothing nested in it
            self.fail(f"These are more than {MAX_DEPTH} operations on one another.", name)
        return depth

    def _condition(self, symbol: Token, operand: Expression) -> Expression:
        if not operand.is_condition:
            self.fail(f"{symbol.text} takes conditions, in parentheses: (t>5) & (t<9).", symbol)
        return operand
