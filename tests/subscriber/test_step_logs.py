"""What a failed step's log says, without all else that stands in it."""

from pathlib import Path

import pytest

from subscriber.diagnosis import clean
from subscriber.step_logs import LINE_LIMIT, LOG_LINES, excerpt

SAMPLES = Path(__file__).parents[2] / "lab" / "samples" / "runs"


def of_sample(folder: str) -> list[str]:
    return excerpt(clean((SAMPLES / folder / "console.log").read_text())).split("\n")


def test_a_compilation_error_is_told_without_what_dbt_did_before():
    assert of_sample("compile_error/2-build") == [
        "Compilation Error",
        (
            "  Model 'model.teahouse.customers' (models/marts/customers.sql) depends on a node "
            "named 'stg_custmers' which was not found"
        ),
    ]


def test_a_models_error_is_told_once_with_dbts_header_and_the_lines_below_it():
    assert of_sample("model_error/2-build") == [
        "Failure in model orders (models/marts/orders.sql)",
        "  Runtime Error in model orders (models/marts/orders.sql)",
        (
            '  Conversion Error: Could not convert string "n/a" to DECIMAL(10,2) when casting from '
            "source column amount"
        ),
        '  LINE 7: left join "analytics"."teahouse"."stg_receipts" as receipts using (order_id)',
        " " * 66 + "^",
    ]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("failing_test/2-build", "Failure in test unique_stg_customers_customer_id"),
        ("seed_failure/2-build", "Failure in seed raw_orders (seeds/raw_orders.csv)"),
        ("source_freshness/2-source-freshness", "Failure in source receipts (models/sources.yml)"),
    ],
)
def test_dbts_own_summary_of_failures_is_what_is_told(folder, said):
    first, *rest = of_sample(folder)

    assert first.startswith(said)
    assert not any("START" in line or "Done." in line or line[:2].isdigit() for line in rest)


@pytest.mark.parametrize(
    ("log", "told"),
    [
        pytest.param(
            "Cloning into '/tmp/jobs/1/target'...\nremote: Counting objects: 100%\n"
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n\n"
            "Please make sure you have the correct access rights\nand the repository exists.\n",
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.\n"
            "Please make sure you have the correct access rights\nand the repository exists.",
            id="git clone",
        ),
        pytest.param(
            "Cloning into '.'...\nremote: Invalid username or password.\n"
            "fatal: Authentication failed for 'https://github.com/o/r.git/'",
            "remote: Invalid username or password.\n"
            "fatal: Authentication failed for 'https://github.com/o/r.git/'",
            id="git credentials",
        ),
        pytest.param(
            "05:27:52  Running with dbt=1.10.0\n05:27:52  Installing dbt-labs/dbt_utils\n"
            "05:27:53  Encountered an error:\n"
            "Error checking out spec='0.0.1' for repo https://github.com/o/r\n"
            "fatal: Couldn't find remote ref 0.0.1\n",
            "Error checking out spec='0.0.1' for repo https://github.com/o/r\n"
            "fatal: Couldn't find remote ref 0.0.1",
            id="dbt deps",
        ),
        pytest.param(
            "Collecting dbt-duckdb==9\n  Downloading x.whl\n"
            "ERROR: Could not find a version that satisfies the requirement dbt-duckdb==9\n"
            "ERROR: No matching distribution found for dbt-duckdb==9",
            "ERROR: Could not find a version that satisfies the requirement dbt-duckdb==9\n"
            "ERROR: No matching distribution found for dbt-duckdb==9",
            id="pip",
        ),
        pytest.param(
            "02:22:32  Running with dbt=1.10.0\n"
            "02:22:32  dbt was unable to connect to the specified database.\n"
            "The database returned the following error:\n\n  >Database Error\n"
            "  ('HYT00', 'Login timeout expired')\n02:22:33  Done.",
            "dbt was unable to connect to the specified database.\n"
            "The database returned the following error:\n  >Database Error\n"
            "  ('HYT00', 'Login timeout expired')",
            id="connection",
        ),
        pytest.param(
            "13:43:59  1 of 1 START hook: test.on-run-end.0 ........ [RUN]\n"
            "13:43:59  Database error while running on-run-end\n"
            "13:43:59  1 of 1 OK created sql view model dbt.errors ... [CREATE VIEW in 0.11s]\n"
            "13:43:59\n13:43:59  Completed with 1 error and 0 warnings:\n13:43:59\n"
            '13:43:59  on-run-end failed, error:\n column "error" does not exist\n'
            "LINE 2: select error\n13:43:59\n13:43:59  Done. PASS=1 WARN=0 ERROR=1",
            "Database error while running on-run-end\non-run-end failed, error:\n"
            ' column "error" does not exist\nLINE 2: select error',
            id="on-run-end",
        ),
        pytest.param(
            "dbt-fusion 2.0.0-preview.28\n   Loading ~/.dbt/profiles.yml\n"
            "warning: dbt1060: Ignored unexpected key '+as_columnstore'.\n"
            "  --> dbt_packages/dbt_artifacts/dbt_project.yml:23:24\n"
            " Succeeded [  2.25s] model dbt.my_model (table)\n"
            "    Failed [  1.74s] model dbt.other (table)\n"
            "error: dbt1501: Macro error: invalid operation\n  --> macros/a.sql:10:1\n"
            "==================== Execution Summary ====================\n"
            "  Finished 'build' with 1 error for target 'dev' [4.0s]",
            "error: dbt1501: Macro error: invalid operation\n  --> macros/a.sql:10:1",
            id="Fusion",
        ),
        pytest.param(
            "19:53:01.099293 [info ]: dbt-fusion 2.0.0\n"
            "[error] dbt1005: Unknown ref 'a'\n19:53:02.1 [debug]: error of no interest",
            "dbt1005: Unknown ref 'a'",
            id="Fusion with levels",
        ),
        pytest.param(
            "12:00:00.194495 [info ] [MainThread]: Running with dbt=1.1.1\n"
            "12:00:00.245063 [error] [Thread-1 (worker)]: Something went awry\n"
            "12:00:01.000000 [debug] [MainThread]: Command failed",
            "Something went awry",
            id="names of threads",
        ),
        pytest.param(
            "21:52:14  [WARNING]: Deprecated functionality\nThis has failed before\n"
            "21:52:15  Traceback (most recent call last):\n"
            '  File "dbt/main.py", line 1, in error\n    raise error\nValueError: bad value',
            "ValueError: bad value",
            id="traceback",
        ),
    ],
)
def test_what_happened_is_told_and_progress_is_not(log, told):
    assert excerpt(log) == told


def test_a_line_of_an_error_is_told_though_it_reads_like_progress():
    log = "10:00:01  Database Error\n  Found 3 rows\n  Warning: of 2\n10:00:01  Found 10 models"

    assert excerpt(log) == "Database Error\n  Found 3 rows\n  Warning: of 2"


def test_fifty_lines_of_noise_below_an_error_do_not_hide_it():
    noise = "\n".join(
        f"10:00:02  {n} of 90 SKIP relation shop.m{n} ..... [SKIP]" for n in range(90)
    )

    assert excerpt(f"10:00:01  Database Error\n  out of disk\n{noise}") == (
        "Database Error\n  out of disk"
    )


def test_where_only_the_line_of_a_failed_node_speaks_of_it_that_line_is_told():
    log = (
        "10:00:01  1 of 2 OK created sql table model shop.a ..... [OK in 0.1s]\n"
        "10:00:01  2 of 2 ERROR creating sql table model shop.b ..... [ERROR in 0.1s]"
    )

    assert excerpt(log) == "2 of 2 ERROR creating sql table model shop.b ..... [ERROR in 0.1s]"


def test_where_no_line_speaks_of_an_error_the_last_ones_are_told():
    told = excerpt("\n".join(f"line {n}" for n in range(10_000))).split("\n")

    assert len(told) == LOG_LINES
    assert told[-1] == "line 9999"


def test_of_too_many_errors_the_first_and_the_last_are_told():
    told = excerpt("\n".join(f"error: dbt1000: {n}" for n in range(1_000))).split("\n")

    assert len(told) == LOG_LINES + 1
    assert (told[0], told[-1]) == ("error: dbt1000: 0", "error: dbt1000: 999")
    assert told[LOG_LINES // 2] == "(950 lines left out)"


def test_a_line_without_end_is_cut():
    assert len(excerpt("fatal: " + "x" * 100_000)) == LINE_LIMIT


def test_nothing_written_is_nothing_told():
    assert excerpt("") == excerpt("\n \n") == ""
