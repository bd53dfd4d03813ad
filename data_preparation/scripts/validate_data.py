"""Check that a dataset will train, before anything is paid for.

python data_preparation/scripts/validate_data.py dataset --config rec/rec_mv3_none_bilstm_ctc.yml
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError, in_one_sentence
from contract.report import KEPT
from contract.streams import pour
from data_preparation import cli
from data_preparation.cli import say
from data_preparation.fixes import FIXABLE, FIXES
from data_preparation.recipe_flags import add_recipe_arguments, asked_recipe, check_recipe_arguments
from data_preparation.wording import counted, in_shell, verb

if TYPE_CHECKING:
    from contract.parameters import OpenRecipe
    from data_preparation.validation import Verdict

SUMMARY = "check that a dataset will train"
EXAMPLE = """\
Overrides that the labels need are printed on stdout, one flag a line, so that a shell can pass them on.
Exit code 0 when the dataset trains as it is, 1 when not. Warnings are about what trains and is odd all the same.

examples:
  python data_preparation/scripts/validate_data.py dataset
  python data_preparation/scripts/validate_data.py dataset --config rec/rec_mv3_none_bilstm_ctc.yml \\
    -o Global.max_text_length=40
  python data_preparation/scripts/validate_data.py dataset --fix cleaned"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset folder")
    add_recipe_arguments(parser)
    parser.add_argument("--strict", action="store_true", help="warnings are errors too")
    parser.add_argument(
        "--near-duplicates",
        action="store_true",
        help="also look for validation pictures that look like trained ones of the same text (reads such images twice)",
    )
    cli.add_lookers_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything on stdout")
    fixing = parser.add_argument_group("a cleaned copy")
    fixing.add_argument(
        "--fix",
        type=Path,
        metavar="OUTPUT_DIR",
        help="repair what can be, leave out what cannot be used, write the rest to this new folder with a list of every"
        f" change ({FIXES}), and check it",
    )
    fixing.add_argument(
        "--drop-unknown",
        action="store_true",
        help="with --fix: leave labels with characters that dict.txt lacks out, instead of adding these to it",
    )
    fixing.add_argument(
        "--drop-unfit",
        action="store_true",
        help="with --fix and --config: leave labels out that the recipe takes only with a wider input",
    )
    cli.add_encoding_argument(fixing, "with --fix: of texts that are")


def run(args: argparse.Namespace) -> int:
    """Check, explain on stderr, print what another program may use on stdout."""
    from data_preparation.verdict_json import as_json, refusal

    try:
        _check_flags(args)
        verdict = _validate(args)
    except (UserError, OSError) as error:
        reason = in_one_sentence(error)
        if args.json:
            pour(json.dumps(refusal(args.dataset, reason)))
        raise reason from None
    _explain(verdict, args)
    if args.json:
        pour(json.dumps(as_json(verdict, args.strict)))
    elif verdict.overrides:
        pour("\n".join(f"-o {override}" for override in verdict.overrides))
    return 0 if verdict.passes(args.strict) else cli.EXIT_REFUSED


def main(argv: list[str] | None = None) -> int:
    parser = cli.Parser(description=SUMMARY, epilog=EXAMPLE)
    add_arguments(parser)
    return cli.run(parser, argv, run)


def _check_flags(args: argparse.Namespace) -> None:
    check_recipe_arguments(args)
    if not args.fix and (args.drop_unknown or args.drop_unfit or args.encoding):
        raise UserError(
            "--drop-unknown, --drop-unfit and --encoding say how to clean: name the folder of the copy with --fix"
        )
    if args.drop_unfit and not args.config:
        raise UserError("--drop-unfit leaves out what a recipe does not take: name the recipe with --config")


def _validate(args: argparse.Namespace) -> Verdict:
    from data_preparation.progress import progress
    from data_preparation.validation import validate

    recipe = asked_recipe(args)
    if args.fix:
        _fix(args, recipe)
    with progress("checking") as advance:
        verdict = validate(args.fix or args.dataset, recipe, advance, workers=args.workers)
    if args.near_duplicates:
        from data_preparation.near_duplicates import warn_of_near_duplicates

        with progress("comparing") as advance:
            warn_of_near_duplicates(verdict.report, advance)
    return verdict


def _fix(args: argparse.Namespace, recipe: OpenRecipe | None) -> None:
    """Write the cleaned copy; say what was done."""
    from contract.label_fit import fits_as_wide_as_it_is
    from data_preparation.fixing import Options, plan_fixes, write_fixed
    from data_preparation.new_folder import check_new
    from data_preparation.progress import progress

    check_new(args.fix, "--fix")
    fits = fits_as_wide_as_it_is(recipe) if recipe and args.drop_unfit else None
    with progress("checking") as advance:
        plan = plan_fixes(args.dataset, Options(args.encoding, args.drop_unknown, fits, args.workers), advance)
    with progress("copying") as advance:
        manifest = write_fixed(plan, args.fix, advance)
    for (kind, action), count in Counter((fix.kind, fix.action) for fix in plan.fixes).items():
        say(f"{kind}: {count:,} {action}")
    say(
        f"wrote {args.fix}: {manifest['train']:,} train and {manifest['val']:,} val samples;"
        f" {FIXES} lists {counted(len(plan.fixes), 'change')}"
    )


def _explain(verdict: Verdict, args: argparse.Namespace) -> None:
    from data_preparation.problems_text import show_problems, show_warnings

    report = verdict.report
    for note in report.notes:
        say(f"note: {note}")
    show_warnings(report.warnings, rest=f"--json lists {KEPT}")
    show_problems(report.problems, rest="--json lists all")
    _summarise(verdict)
    _say_what_fix_would_do(verdict, args)
    odd = counted(report.warnings.counts.total(), "warning")
    if verdict.ok and args.strict and report.warnings.counts:
        say(f"error: {report.folder} is fit to train, but --strict takes no warnings: {odd}")
        return
    if verdict.ok:
        recipe = f" with {args.config}" if args.config else ""
        say(f"ok: {report.folder} is fit to train{recipe}" + (f", {odd}" if report.warnings.counts else ""))
        return
    if verdict.overrides:
        fit = "the dataset is fit to train" if verdict.fits_with_overrides else "the labels fit, the rest stays wrong"
        say(f"with these flags {fit}; add them to validate and to submit, by hand or in a shell as")
        say(f"  $(python -m data_preparation validate {in_shell(report.folder)} --config {args.config})")
        for override in verdict.overrides if args.json else ():
            say(f"-o {override}")
    say(f"error: {report.folder} is not fit to train as it is: {counted(len(report.problems), 'problem')}")


def _say_what_fix_would_do(verdict: Verdict, args: argparse.Namespace) -> None:
    report = verdict.report
    cured = sum(problem.kind in FIXABLE for problem in report.problems)
    cured += sum(count for kind, count in report.warnings.counts.items() if kind in FIXABLE)
    cured += sum(problem.kind == "file" and ":" in problem.where for problem in report.problems)  # in another encoding
    command = f"python -m data_preparation validate {in_shell(report.folder)} --fix NEW_FOLDER"
    if cured:
        say(f"{command} writes a copy without {cured:,} of these")
    if verdict.unfit:
        recipe = " ".join(["--config", args.config, *(f"-o {each}" for each in args.overrides)])
        said = f"{counted(verdict.unfit, 'label')} {verb(verdict.unfit, 'is', 'are')} too long for the recipe as it is"
        say(f"{said}: {command} --drop-unfit {recipe} writes a copy without {verb(verdict.unfit, 'it', 'them')}")


def _summarise(verdict: Verdict) -> None:
    report, limits = verdict.report, verdict.limits
    characters = len(report.dictionary.characters) if report.dictionary else 0
    say(
        f"{len(report.samples('train')):,} train and {len(report.samples('val')):,} val samples,"
        f" {counted(characters, 'character')}{' and the space' if report.has_space else ''}"
    )
    takes = f" (the recipe takes {limits.longest_label})" if limits else ""
    steps = f" (the recipe has {limits.time_steps})" if limits else ""
    say(
        f"longest label: {counted(report.longest_label, 'code point')}{takes};"
        f" hardest label: {counted(report.most_steps, 'CTC step')}{steps}"
    )
    if report.aspects:
        say(f"nine images in ten are at most {report.typical_aspect:.1f} times as wide as high")


if __name__ == "__main__":
    cli.end(main())
