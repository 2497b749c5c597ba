"""Words that people try, and the commands and options of hpt that they mean."""

from __future__ import annotations

_TUNING_JOB = "hyper-parameter-tuning-job"
"""What the command line of SageMaker calls a tuning job."""
COMMAND_WORDS = {
    **dict.fromkeys(("status", "describe", "info", "summary", "get", "inspect", "view"), "show"),
    **dict.fromkeys(("ls", "ps", "dir", "history", "overview", "studies", "experiments"), "list"),
    **dict.fromkeys(("trials", "results", "table", "rows", "runs"), "jobs"),
    **dict.fromkeys(("top", "htop", "follow", "attach", "monitor", "live", "progress"), "watch"),
    **dict.fromkeys(("dashboard", "tui", "ui"), "watch"),
    **dict.fromkeys(("tail", "log", "cat", "less", "output", "stdout", "tensorboard"), "logs"),
    **dict.fromkeys(("plot", "graph", "chart", "draw", "curve", "learning-curves"), "curves"),
    **dict.fromkeys(("winner", "best-trial", "params", "champion"), "best"),
    **dict.fromkeys(("kill", "cancel", "abort", "halt", "terminate", "end", "pause"), "stop"),
    **dict.fromkeys(("quit", "exit", "interrupt", "suspend", "shutdown"), "stop"),
    **dict.fromkeys(
        ("rm", "remove", "del", "drop", "destroy", "purge", "clean", "erase"), "delete"
    ),
    **dict.fromkeys(("continue", "restart", "unpause", "recover", "reopen"), "resume"),
    **dict.fromkeys(("retry", "rerun", "retry-failed"), "resume --retry-failed"),
    **dict.fromkeys(("start", "launch", "tune", "create", "submit", "optimize", "fit"), "run"),
    **dict.fromkeys(("train", "sweep", "search", "exec", "go", "execute", "begin"), "run"),
    **dict.fromkeys(("validate", "lint", "verify", "plan", "preview", "dry-run", "test"), "check"),
    **dict.fromkeys(("enqueue", "propose", "inject", "ask", "enqueue-trial"), "try"),
    "trial": "check --try",
    **dict.fromkeys(("new", "generate", "scaffold", "setup", "quickstart", "template"), "init"),
    **dict.fromkeys(("add", "make", "configure"), "init"),
    **dict.fromkeys(("diff", "vs", "versus", "cmp"), "compare"),
    **dict.fromkeys(("mv", "move"), "rename"),
    **dict.fromkeys(
        ("set", "edit", "modify", "change", "extend", "scale", "reconfigure"), "update"
    ),
    **dict.fromkeys(("why", "reason", "judge"), "explain"),
    **dict.fromkeys(("html", "page", "open", "browse", "web", "share"), "report"),
    **dict.fromkeys(("csv", "save", "dump", "download", "mlflow", "parquet", "pandas"), "export"),
    **dict.fromkeys(("fanova", "sensitivity", "ablation", "analyze", "analyse"), "importance"),
    **dict.fromkeys(("simulate", "backtest", "savings"), "replay"),
    **dict.fromkeys(("diagnose", "health", "debug", "bug", "env", "repair", "gpus"), "doctor"),
    **dict.fromkeys(("join", "block", "sleep"), "wait"),
    **dict.fromkeys(("regex", "parse", "scan", "scrape"), "metrics"),
    **dict.fromkeys(("convert", "migrate", "from", "load"), "import"),
    **dict.fromkeys(("fields", "jsonschema", "spec"), "schema"),
    **dict.fromkeys(("list-training-jobs", f"list-training-jobs-for-{_TUNING_JOB}"), "jobs"),
    **dict.fromkeys(("analytics", "dataframe"), "export"),
    "describe-training-job": "explain",
    f"create-{_TUNING_JOB}": "import",
    "version": "--version",
    **dict.fromkeys(("completion", "completions", "autocomplete"), "--install-completion"),
}
"""Words in place of a command. The first part of `describe-tuning-job` counts, too."""

OPTION_WORDS = {
    **dict.fromkeys(("--out", "--outfile", "--output-file", "--file", "--save"), "--output"),
    **dict.fromkeys(("--dir", "--directory", "--folder", "--path", "--root"), "--home"),
    **dict.fromkeys(("--background", "--bg", "--daemon", "--nohup", "-b"), "--detach"),
    **dict.fromkeys(("--silent", "-s"), "--quiet"),
    **dict.fromkeys(("--overwrite", "--clobber", "--replace", "-f"), "--force"),
    **dict.fromkeys(("--limit", "--head", "--first", "--count", "-n"), "--top"),
    **dict.fromkeys(("--filter", "--query", "--condition", "--if"), "--where"),
    **dict.fromkeys(("--order-by", "--sort-by", "--order", "--by"), "--sort"),
    **dict.fromkeys(("--reverse", "--descending", "-r"), "--desc"),
    **dict.fromkeys(("--fields", "--cols", "--select", "--show"), "--columns"),
    **dict.fromkeys(("--image", "--picture", "--svg", "--pdf", "--plot", "--figure"), "--png"),
    **dict.fromkeys(("--override", "--param", "--define", "--config", "-p"), "--set"),
    **dict.fromkeys(("--tail", "--live", "-F"), "--follow"),
    **dict.fromkeys(("--full", "--no-truncate", "--long"), "--wide"),
    **dict.fromkeys(("--no-tui", "--no-progress", "--simple", "--lines", "--no-live"), "--plain"),
    **dict.fromkeys(("--assume-yes", "--no-input", "--no-confirm"), "--yes"),
    **dict.fromkeys(("--retry", "--rerun", "--failed"), "--retry-failed"),
    **dict.fromkeys(("--trials", "--n-trials", "--max-trials", "--jobs"), "--max-jobs"),
    **dict.fromkeys(("--parallel", "--workers", "--n-jobs", "-j"), "--max-parallel-jobs"),
    **dict.fromkeys(("--max-parallel", "--parallel-jobs", "--concurrency"), "--max-parallel-jobs"),
    **dict.fromkeys(("-v", "-V"), "--version"),
    "--force": "--yes",
    "--gpus": "--resources.gpus",
    "--cpus": "--resources.cpus",
    "--retries": "--retry.max-attempts",
    "--markdown": "--format md",
    "--all": "--all-homes",
    "--seed": "--random-seed",
    "--time-limit": "--max-runtime-seconds",
    "--early-stopping": "--early-stopping-type",
    "--algorithm": "--strategy",
    "--objective": "--objective-metric-name",
    "--cwd": "--working-directory",
    "--env": "--environment",
    "--log": "--tuner",
    "--cmd": "--command",
}
"""Options that other programs have, and what hpt calls them: an option, or a field of the spec."""

ARGUMENT_OPTIONS = (
    f"--{_TUNING_JOB}-name",
    "--training-job-name",
    "--cli-input-json",
    "--cli-input-yaml",
)
"""Options of SageMaker's command line whose values are arguments of hpt."""
LEFT_OUT_OPTIONS = (
    f"--{_TUNING_JOB}-config",
    "--training-job-definition",
    "--region",
    "--profile",
    "--max-results",
    "--max-items",
)
"""Options of SageMaker's command line that mean nothing here, nor do their values."""
