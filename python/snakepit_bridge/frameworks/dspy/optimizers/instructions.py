"""Optimizers that write instructions: they let a language model propose, and keep what scores.

It owns their options and how each is made from a job. It must not know operations, variables or
how a program becomes a document.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.teleprompt import COPRO, GEPA, SIMBA, BootstrapFewShot, InferRules, MIPROv2

from ..checks import refused
from . import words
from .demonstrations import teaching
from .job import Job
from .spec import Compiled, Optimizer, Option, options_of

__all__ = ["INSTRUCTIONS"]


def _copro(job: Job) -> COPRO:
    prompt_model = job.models.get("prompt_lm")
    return COPRO(metric=job.metric, prompt_model=prompt_model, **job.constructor())


def _mipro(job: Job) -> MIPROv2:
    return MIPROv2(**teaching(job), prompt_model=job.model("prompt_lm"), task_model=job.lm)


def _simba(job: Job) -> SIMBA:
    return SIMBA(**teaching(job), prompt_model=job.model("prompt_lm"))


def _simba_tried(job: Job, module: dspy.Module) -> Compiled:
    """It works without DSPy's Evaluate, so what it tried is only in its own list."""
    for candidate in reversed(module.candidate_programs):
        job.run.tried(candidate["program"], 100 * float(candidate["score"]), len(job.train))
    return Compiled(module)


def _gepa(job: Job) -> GEPA:
    reflection = job.model("reflection_lm", "prompt_lm")
    return GEPA(job.feedback, reflection_lm=reflection, **job.constructor())


def _infer_rules(job: Job) -> InferRules:
    return InferRules(**teaching(job))


def _check_mipro(job: Job) -> None:
    """What DSPy would refuse only after the program was scored."""
    options = job.options
    counts = [name for name in ("num_candidates", "num_trials") if options[name] is not None]
    if options["auto"] is not None and counts:
        raise refused(
            f"options.{counts[0]}", '`auto` decides that, expected "auto": null or none of it'
        )
    if options["auto"] is None and len(counts) < 2:
        raise refused("options", 'with "auto": null, expected `num_candidates` and `num_trials`')
    if job.validation is None and len(job.train) < 2:
        raise refused("data.train", "1 row, expected 2 or more, or data.validation")
    held_out = min(1000, max(1, int(len(job.train) * 0.8)))
    rows = held_out if job.validation is None else len(job.validation)
    if options["auto"] is None and options["minibatch"] and options["minibatch_size"] > rows:
        raise refused(
            "options.minibatch_size",
            f"{options['minibatch_size']} with {rows} rows to validate on, expected at most that "
            'or "minibatch": false',
        )


def _check_simba(job: Job) -> None:
    if len(job.train) < job.options["bsize"]:
        raise refused(
            "options.bsize",
            f"{job.options['bsize']} with {len(job.train)} training rows, expected at most that",
        )


def _check_gepa(job: Job) -> None:
    given = [name for name in _GEPA_BUDGETS if job.options[name] is not None]
    if len(given) != 1:
        found = " and ".join(f"`{name}`" for name in given) or "none of them"
        raise refused(
            "options",
            f"{found}, expected exactly one of `auto`, `max_full_evals` and `max_metric_calls`",
        )


def _check_infer_rules(job: Job) -> None:
    if job.validation is None and len(job.train) < 2:
        raise refused("data.train", "1 row, expected 2 or more, or data.validation")


_GEPA_BUDGETS = ("auto", "max_full_evals", "max_metric_calls")
_AUTO = words.one_of("How much to spend.", "light", "medium", "heavy")
_SEED = words.either("Of everything random.", type="integer")


def _infer_rules_options() -> dict[str, Option]:
    """Its own options, and those that it hands on to BootstrapFewShot."""
    own = {
        "num_candidates": words.count("Programs with inferred rules."),
        "num_rules": words.count("Rules asked for, per predictor."),
        "num_threads": words.THREADS,
    }
    return {**options_of(InferRules, own), **options_of(BootstrapFewShot, words.BOOTSTRAP)}


_MIPRO: dict[str, tuple[dict[str, Any], str]] = {
    "auto": words.either(
        "How much to spend; null: as `num_candidates` and `num_trials` say.",
        enum=["light", "medium", "heavy", None],
    ),
    "num_candidates": words.count("Candidates, with `auto` null."),
    "num_trials": words.count("Trials, with `auto` null."),
    "max_bootstrapped_demos": words.BOOTSTRAP["max_bootstrapped_demos"],
    "max_labeled_demos": words.BOOTSTRAP["max_labeled_demos"],
    "max_errors": words.ERRORS,
    "metric_threshold": words.THRESHOLD,
    "num_threads": words.THREADS,
    "seed": _SEED,
    "init_temperature": words.number("Of proposals.", 0),
    "verbose": words.flag("Logs the prompts, too."),
    "minibatch": words.flag("Trials are scored on a part of the validation rows."),
    "minibatch_size": words.count("Rows of that part."),
    "minibatch_full_eval_steps": words.count("Trials between two scores on all rows."),
    "program_aware_proposer": words.flag("Proposals see what the program is."),
    "data_aware_proposer": words.flag("Proposals see a summary of the data."),
    "view_data_batch_size": words.count("Rows seen at once for that summary."),
    "tip_aware_proposer": words.flag("Proposals get a tip of how to write."),
    "fewshot_aware_proposer": words.flag("Proposals see demonstrations."),
}

_GEPA: dict[str, tuple[dict[str, Any], str]] = {
    "auto": _AUTO,
    "max_full_evals": words.count("Budget in passes over all rows."),
    "max_metric_calls": words.count("Budget in calls of the metric."),
    "reflection_minibatch_size": words.count("Rows that one reflection looks at."),
    "candidate_selection_strategy": words.one_of(
        "Which candidate is worked on next.", "pareto", "current_best"
    ),
    "skip_perfect_score": words.flag("No reflection where all rows score best."),
    "add_format_failure_as_feedback": words.flag("Reflections see answers of a wrong form."),
    "component_selector": words.one_of("Whose instructions are rewritten.", "round_robin", "all"),
    "use_merge": words.flag("Good candidates are merged."),
    "max_merge_invocations": words.count("Merges, at most.", 0),
    "num_threads": words.THREADS,
    "failure_score": words.number("Score of a row whose program failed."),
    "perfect_score": words.number("The best score there is."),
    "warn_on_score_mismatch": words.flag("Logs where scores of one row differ."),
    "seed": _SEED,
}

_SIMBA: dict[str, tuple[dict[str, Any], str]] = {
    "bsize": words.count("Rows of one step."),
    "num_candidates": words.count("New programs per step."),
    "max_steps": words.count("Steps."),
    "max_demos": words.count("Demonstrations of one predictor, at most.", 0),
    "demo_input_field_maxlen": words.count("Characters of an input kept in a demonstration."),
    "num_threads": words.THREADS,
    "temperature_for_sampling": words.number("Of choosing programs to run.", 0.001),
    "temperature_for_candidates": words.number("Of choosing programs to change.", 0.001),
    "seed": _SEED,
}

INSTRUCTIONS = (
    Optimizer(
        "COPRO",
        "Proposes instructions, scores them, and proposes again from the best.",
        _copro,
        options=options_of(
            COPRO,
            {
                "breadth": words.count("Proposals per round.", 2),
                "depth": words.count("Rounds."),
                "init_temperature": words.number("Of proposals.", 0),
            },
        ),
        models=("prompt_lm",),
    ),
    Optimizer(
        "MIPROv2",
        "Searches for the best pair of instructions and demonstrations with Optuna.",
        _mipro,
        options=options_of(MIPROv2, _MIPRO),
        models=("prompt_lm", "teacher_lm"),
        takes_teacher=True,
        takes_validation=True,
        check=_check_mipro,
    ),
    Optimizer(
        "SIMBA",
        "Finds rows whose scores vary, and learns rules or demonstrations from the difference.",
        _simba,
        finish=_simba_tried,
        options=options_of(SIMBA, _SIMBA),
        models=("prompt_lm", "teacher_lm"),
        check=_check_simba,
    ),
    Optimizer(
        "GEPA",
        "Reflects on traces and on what the metric says about them, and rewrites instructions.",
        _gepa,
        options=options_of(GEPA, _GEPA),
        metric="feedback",
        models=("reflection_lm", "prompt_lm"),
        takes_validation=True,
        check=_check_gepa,
    ),
    Optimizer(
        "InferRules",
        "Bootstraps demonstrations, then adds rules that a model infers from the data.",
        _infer_rules,
        options=_infer_rules_options(),
        models=("teacher_lm",),
        takes_teacher=True,
        takes_validation=True,
        check=_check_infer_rules,
    ),
)
