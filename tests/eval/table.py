"""What an evaluation prints: rows of figures, and at its end what was to be reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """`must` is what ready-made means reach: below it the evaluation fails. `goal` is what is aimed at."""

    what: str
    value: float
    must: float
    goal: float
    at_most: bool = False

    def reaches(self, bound: float) -> bool:
        return self.value <= bound if self.at_most else self.value >= bound

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        said = "goal" if self.reaches(self.goal) else "ok" if self.reaches(self.must) else "MISSED"
        return f"{self.what:62}{self.value:9.4f}   must {sign} {self.must:<7g} goal {sign} {self.goal:<7g} {said}"


@dataclass(slots=True)
class Report:
    checks: list[Check] = field(default_factory=list)

    def title(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def row(self, name: str, count: int | str = "", **figures: float) -> None:
        shown = "  ".join(f"{key.replace('_', ' ')} {value:.4f}" for key, value in figures.items())
        print(f"  {name:46}{count:>7}  {shown}", flush=True)

    def check(self, what: str, value: float, must: float, goal: float, *, at_most: bool = False) -> None:
        self.checks.append(Check(what, float(value), must, goal, at_most))

    def close(self) -> bool:
        """Whether every check reaches what it must."""
        if self.checks:
            self.title("what was to be reached")
        for check in self.checks:
            print(f"  {check}")
        return all(check.reaches(check.must) for check in self.checks)
