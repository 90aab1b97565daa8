"""PySR's vocabulary: its parameters, its operators, its hall of fame."""

# ruff: noqa: SIM905 (tables of words read better as text)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from kansym.base.errors import FormatError, UnknownNameError
from kansym.formula.language import BASIC, Language
from kansym.formula.language import operators as signs_of
from kansym.functions.library import Library, X
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge import pareto
from kansym.pipeline.run import Law, Run
from kansym.report import export

SAME = {
    name: name
    for name in (
        "binary_operators unary_operators maxsize model_selection guesses select_k_features "
        "denoise warm_start output_directory random_state verbosity"
    ).split()
} | {"timeout_in_seconds": "time_limit"}
GENETIC = frozenset(
    (
        "niterations populations population_size max_evals ncycles_per_iteration "
        "early_stop_condition maxdepth constraints nested_constraints loss elementwise_loss "
        "loss_function loss_function_expression loss_scale complexity_of_operators "
        "complexity_of_constants complexity_of_variables complexity_mapping parsimony "
        "dimensional_constraint_penalty dimensionless_constants_only use_frequency "
        "use_frequency_in_tournament adaptive_parsimony_scaling alpha annealing fraction_replaced "
        "fraction_replaced_hof fraction_replaced_guesses migration hof_migration topn "
        "should_simplify should_optimize_constants optimizer_algorithm optimizer_nrestarts "
        "optimizer_f_calls_limit optimize_probability optimizer_iterations perturbation_factor "
        "probability_negate_constant tournament_selection_n tournament_selection_p "
        "crossover_probability skip_mutation_failures weight_add_node weight_insert_node "
        "weight_delete_node weight_do_nothing weight_mutate_constant weight_mutate_operator "
        "weight_mutate_feature weight_swap_operands weight_rotate_tree weight_randomize "
        "weight_simplify weight_optimize expression_spec warmup_maxsize_by batching batch_size "
        "fast_cycle turbo bumper autodiff_backend cluster_manager heap_size_hint_in_mb "
        "worker_timeout worker_imports multithreading print_precision logger_spec input_stream "
        "run_id temp_equation_file tempdir delete_tempfiles extra_torch_mappings "
        "extra_jax_mappings output_torch_format output_jax_format julia_project equation_file "
        "update_verbosity operators"
    ).split()
)

_UNARY_NAMES = {
    "square": "x^2",
    "cube": "x^3",
    "inv": "1/x",
    "log1p": "log",
    "log2": "log",
    "log10": "log",
    "expm1": "exp",
    "gauss": "gaussian",
    "logistic": "sigmoid",
    "sigmoid": "sigmoid",
    "erfc": "erf",
    "cbrt": "x^(1/3)",
    "atanh_clip": "atanh",
    "safe_log": "log",
    "safe_sqrt": "sqrt",
    "neg": "x",
    "identity": "x",
}


def operators(unary: Any, library: Any) -> Any:
    """Return the library that PySR's list of unary operators means; the library itself without one.

    A definition such as "inv(x) = 1/x" adds its function. Raises UnknownNameError and InputError.
    """
    if unary is None:
        return library
    everything = Library.load("all")
    chosen = [everything["x"]]
    for item in [unary] if isinstance(unary, str) else unary:
        head, equals, body = str(item).partition("=")
        name, _, argument = head.strip().partition("(")
        if equals:
            argument = argument.rstrip(") ").strip() or "x"
            form = parse_expression(body.strip(), [argument]).xreplace({symbols([argument])[0]: X})
            chosen.append(Library(()).add(name.strip(), form)[name.strip()])
            continue
        shown = _UNARY_NAMES.get(name, name)
        if shown not in everything:
            raise UnknownNameError("unary operator", name, [*everything, *_UNARY_NAMES])
        chosen.append(everything[shown])
    return Library(tuple(dict.fromkeys(chosen)))


def spoken_language(binary: Any, unary: Any) -> Language:
    """Return what PySR's lists of operators permit, None of them everything."""
    asked = checked_binary(binary)
    single: set[str] | None = None
    if unary is not None:
        single = {
            str(u).partition("=")[0].partition("(")[0].strip()
            for u in ([unary] if isinstance(unary, str) else unary)
        }
        for f in operators(unary, "default").values():
            single |= signs_of(f.expression) - BASIC
            single |= {"inv"} if f.name == "1/x" else set()
    listed = None if single is None else frozenset(single)
    return Language(binary=None if asked is None else frozenset(asked), unary=listed)


def allowed(run: Run, binary: Any, unary: Any) -> Run:
    """Return the run with formulas only, and those only that PySR's lists of operators permit.

    A smooth curve that the search could not name stays out: every row of `equations_` has a SymPy form.
    """
    if binary is None and unary is None and all(law.symbolic for law in run.front):
        return run
    spoken = spoken_language(binary, unary)
    kept = [law for law in run.front if law.expression is not None and spoken.permits(law.expression)]
    if not kept:
        kept = [law for law in run.front if law.expression is not None and not law.expression.free_symbols]
    kept = kept or list(run.front[:1])
    scores = pareto.scores([law.complexity for law in kept], [law.loss for law in kept])
    front = tuple(replace(law, score=s) for law, s in zip(kept, scores, strict=True))
    chosen = pareto.choose([law.row for law in front], "description")
    return replace(run, front=front, chosen=chosen)


BINARY = {
    **{sign: sign for sign in ("+", "-", "*", "/", "^", "max", "min")},
    **{"plus": "+", "sub": "-", "mult": "*", "mul": "*", "div": "/", "pow": "^", "**": "^"},
}
"""PySR's binary operators that formulas here can hold, with what each means."""


def checked_binary(operators: Any) -> set[str] | None:
    """Return the signs that a list of binary operators means; raises UnknownNameError for others."""
    if operators is None:
        return None
    asked = [operators] if isinstance(operators, str) else list(operators)
    for operator in asked:
        if operator not in BINARY:
            raise UnknownNameError("binary operator", str(operator), BINARY)
    return {BINARY[operator] for operator in asked}


def checked_rule(rule: Any) -> str:
    """Return the rule that chooses from the front; raises UnknownNameError for one that is none."""
    if rule not in pareto.RULES:
        raise UnknownNameError("model_selection", str(rule), pareto.RULES)
    return str(rule)


def latex_rows(run: Run, indices: Sequence[int], precision: int, columns: Sequence[str]) -> str:
    """Return rows of the front as a LaTeX table, with numbers of `precision` digits, as PySR writes it."""
    lines = [
        r"\begin{table}[h]",
        r"\begin{center}",
        rf"\begin{{tabular}}{{@{{}}{'c' * len(columns)}@{{}}}}",
        r"\toprule",
    ]
    lines += [" & ".join(c.capitalize() for c in columns) + r" \\", r"\midrule"]
    target = export.to_latex(symbols([run.data["target"]])[0], [run.data["target"]])
    for i in indices:
        law = run.front[i]
        formula = (
            r"\text{not symbolic}"
            if law.expression is None
            else export.to_latex(law.expression, run.names, digits=precision)
        )
        cells = {
            "equation": f"${target} = {formula}$",
            "complexity": f"${law.complexity}$",
            "loss": f"${_latex_number(law.loss, precision)}$",
            "score": f"${_latex_number(law.score, precision)}$",
        }
        lines.append(" & ".join(cells[c] for c in columns) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{center}", r"\end{table}"])


def _latex_number(value: float, precision: int) -> str:
    """Return a number in LaTeX."""
    if math.isinf(value):
        return r"\infty"
    mantissa, e, exponent = f"{value:.{precision}g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa


def read_hall_of_fame(path: Path, names: Sequence[str] | None) -> Run:
    """Return the front in a hall_of_fame.csv, PySR's or ours."""
    frame = pd.read_csv(path)
    missing = {"Complexity", "Loss", "Equation"} - set(frame.columns)
    if missing:
        raise FormatError(
            f"{path} lacks the column {min(missing)!r}; PySR's have Complexity, Loss and Equation."
        )
    forms = [parse_expression(str(text), names) for text in frame["Equation"]]
    if names is None:
        found = sorted({s.name for f in forms for s in f.free_symbols}, key=lambda n: (len(n), n))
        last = max((int(n[1:]) for n in found if n[:1] == "x" and n[1:].isdigit()), default=-1)
        names = (
            [f"x{i}" for i in range(last + 1)]
            if all(n[:1] == "x" and n[1:].isdigit() for n in found)
            else found
        )
    frame = frame.assign(form=forms).sort_values("Complexity", kind="stable")
    scores = pareto.scores(list(frame["Complexity"]), list(frame["Loss"]))
    front = tuple(
        Law(
            str(row.Equation),
            int(row.Complexity),
            float(row.Loss),
            math.inf,
            score,
            float(row.Complexity),
            row.form,
            row.form,
            source=path.name,
        )
        for row, score in zip(frame.itertuples(), scores, strict=True)
    )
    data = {"names": list(names), "target": "y", "rows": 0, "ranges": {}, "notes": [f"read from {path}"]}
    chosen = pareto.choose([law.row for law in front], "best")
    # the file tells no description lengths: PySR's own choice stands in for the shortest
    front = tuple(replace(law, length=0.0 if i == chosen else 1.0) for i, law in enumerate(front))
    return Run(front, chosen, data, {}, 0.0, "read from a file", 0.0)
