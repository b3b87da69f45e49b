"""What looks like a secret is not told; what a diagnosis needs is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriber.redaction import REDACTED, redacted

# made here, so that none of them stands whole in a file
HEX_32 = "0123456789abcdef" * 2
LETTERS = "abcdEFGH0123" * 3
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_x"
PEM = "-----BEGIN {0}PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ==\n-----END {0}PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("postgres://user:hunter2@host:5432/db", "postgres://[redacted]@host:5432/db"),
        ("postgres://user:hun@ter2@host/db", "postgres://[redacted]@host/db"),
        ("postgres://user:hun/ter2@host/db", "postgres://[redacted]@host/db"),
        ("clone https://hunter2@github.com/o/r.git", "clone https://[redacted]@github.com/o/r.git"),
        ("password=hunter2", "password=[redacted]"),
        ("PASSWORD : hunter2, user: x", "PASSWORD : [redacted], user: x"),
        ("passwd='hunter 2' x", "passwd=[redacted] x"),
        ("pwd=hunter2;uid=x", "pwd=[redacted];uid=x"),
        ('{"client_secret": "hun\\"ter2", "a": 1}', '{"client_secret": [redacted], "a": 1}'),
        ('{\\"api_key\\": \\"hunter2\\"}', '{\\"api_key\\": [redacted]}'),
        ("{'apiKey': 'hunter2'}", "{'apiKey': [redacted]}"),
        ("x-api-key: hunter2", "x-api-key: [redacted]"),
        ("access_token => hunter2", "access_token => [redacted]"),
        ("GITHUB_TOKEN=hunter2 dbt run", "GITHUB_TOKEN=[redacted] dbt run"),
        ("os.environ['API_TOKEN'] = 'hunter2'", "os.environ['API_TOKEN'] = [redacted]"),
        ("private_key_passphrase: hunter2", "private_key_passphrase: [redacted]"),
        ("aws_secret_access_key = hunter2", "aws_secret_access_key = [redacted]"),
        ("AccountKey=hunter2==;Suffix=x", "AccountKey=[redacted];Suffix=x"),
        ("https://x/y?sv=1&sig=hun%2Fter2&se=2", "https://x/y?sv=1&sig=[redacted]&se=2"),
        ("DBT_ENV_SECRET_GIT_CREDENTIAL=hunter2", "DBT_ENV_SECRET_GIT_CREDENTIAL=[redacted]"),
        ("  8  |       pass: hunter2", "  8  |       pass: [redacted]"),
        ("password: {hunter2   # not quoted", "password: [redacted]   # not quoted"),
        ("Authorization: Bearer hunter2", "Authorization: [redacted]"),
        ('"authorization": "Token hunter2"', '"authorization": [redacted]'),
        ("sent Bearer hunter2hunter2", "sent Bearer [redacted]"),
        ("sent Basic dXNlcjpwYXNz back", "sent Basic [redacted] back"),
        ("dbt debug --password hunter2 --x", "dbt debug --password [redacted] --x"),
        ("create user x password 'hunter2'", "create user x password [redacted]"),
        ("create user x identified by 'hunter2'", "create user x identified by [redacted]"),
        (f"the routing key {HEX_32} is off", "the routing key [redacted] is off"),
        (f"got {JWT}.", "got [redacted]"),
        (f"key {PEM.format('RSA ')} of x", "key [redacted] of x"),
        (PEM.format("").replace("\n", "\\n") + '"', '[redacted]"'),
        (PEM.format("").partition("-----END")[0], "[redacted]"),
        (f"AKIA{'ABCD' * 4} x", "[redacted] x"),
        (f"ASIA{'ABCD' * 4}, secret {AWS_SECRET}; x", "[redacted]; x"),
        (f"xoxb-123456789012-{LETTERS}", "[redacted]"),
        (f"https://hooks.slack.com/services/T0/B0/{LETTERS}", "https://hooks.slack.com/[redacted]"),
        (f"ghp_{LETTERS}", "[redacted]"),
        (f"github_pat_{LETTERS}", "[redacted]"),
        (f"AIza{LETTERS}", "[redacted]"),
        (f"dbtc_{LETTERS}", "[redacted]"),
        (f"dbts_{LETTERS}", "[redacted]"),
        (f"dbtu_{LETTERS}", "[redacted]"),
        (f"dapi{HEX_32}", "[redacted]"),
        (f"sk_live_{LETTERS}", "[redacted]"),
        (f"key sk-proj-{LETTERS}, x", "key [redacted], x"),
        (f"sk-{LETTERS}", "[redacted]"),
        ("sk-" + "a" * 10 + "_-" + "b" * 7 + "1.", "[redacted]."),
    ],
)
def test_a_secret_is_redacted_and_what_stands_around_it_is_told(said, told):
    assert redacted(said) == told


@pytest.mark.parametrize(
    "said",
    [
        "test.shop.unique_orders_id.fed79b3a6e",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        f"Key (order_key)=({HEX_32}) already exists",
        "invocation 3ab05e78-cd01-41b3-81ff-689a3a2e5b81 of run 70437497968255",
        "where token_id = 5",
        "select password_hash from users",
        "column secret_id: not found",
        "unexpected token: ')'",
        "token expected",
        "Syntax error: expected token ',', got 'foo'",
        "cast(token::text as varchar)",
        "Incorrect username or password was specified.",
        "Bearer authentication is not supported",
        "basic authentication was refused",
        "Done. PASS=28 WARN=1 ERROR=0 SKIP=0 NO-OP=1 TOTAL=30",
        "https://github.com/o/r@v1.2 and https://host:8080/a@b",
        "ssh://git@github.com/o/r.git and git@github.com:o/r.git",
        "password: null",
        "models/marts/token.sql and secret.orders",
        "the secret secret:pd-routing-key is empty or not set",
        "Database Error in model api_key (models/api_key.sql)",
        "sk-a-word-with-many-hyphens-and-no-number",
        "sk-short-1",
        "task-0123456789012345678901234567890",
        "----------------",
    ],
)
def test_what_a_diagnosis_needs_is_left_as_it_is(said):
    assert redacted(said) == said


@settings(deadline=None)
@given(
    st.text()
    | st.text(alphabet="pasword:=\"'\\ \n-tkenx[]@/")
    | st.lists(
        st.sampled_from(
            [
                *("password", "token", ": ", "=", '"', "'", "\\", "[redacted]", "://", "@", "--"),
                *("bearer ", "AKIA" + "A" * 16, AWS_SECRET, JWT, HEX_32, " "),
                "-----BEGIN PRIVATE KEY-----",
            ]
        )
    ).map("".join)
)
def test_whatever_is_said_what_is_redacted_stays_as_it_is(text):
    found = redacted(text)

    assert redacted(found) == found


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABC0123456789", min_size=8))
def test_a_password_of_any_letters_is_redacted(secret):
    assert redacted(f'{{"db_password": "{secret}"}}') == f'{{"db_password": {REDACTED}}}'
    assert redacted(f"db_password={secret} x") == f"db_password={REDACTED} x"


@pytest.mark.parametrize(
    "repeated",
    [
        *("a", " ", "-", "=", '"', "\\", "@", "://", "://a:", "://a:x/", "-eyJ", "eyJa."),
        *('password:"', 'password:\\"', "password='\\", "password ", "--password ", "bearer a"),
        *("authorization: bearer ", "-----BEGIN PRIVATE KEY-----", "DBT_ENV_SECRET_", "pass:\n"),
        *("AKIA" + "A" * 16 + " ", "token is " + "0" * 31, "identified by '", "secret_secret_"),
        *("sk-", "sk-a ", " sk-"),
    ],
)
def test_a_text_of_any_length_comes_to_an_end(repeated):
    assert redacted(repeated * (500_000 // len(repeated)))


@pytest.mark.parametrize("text", ["PASSWORD==0", "token==abc def", "password==>x", "pwd:=x y"])
def test_signs_between_a_key_and_its_value_are_no_part_of_the_value(text):
    once = redacted(text)

    assert REDACTED in once
    assert redacted(once) == once
