from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint import facts
from mllint.masking import Secret, credential, is_literal, looks_secret_name, mask, name_kind, secret_value, secrets

# Put together here so that no scanner of repositories takes this file for a leak.
HF = "hf_" + "aB3dE6gH9j" * 4
OPENAI = "sk-" + "proj-" + "aB3dE6gH9j" * 5
AWS = "AKIA" + "2B4D6F8H1J3L5N7P"
KEY_BODY = "MIIEpAIBAAKCAQEA" * 4
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n{KEY_BODY}abc=\n-----END RSA PRIVATE KEY-----"
BY_FORM = [
    (HF, "Hugging Face token"),
    (OPENAI, "API key"),
    ("sk-" + "ant-api03-" + "aB3dE6gH9j" * 4, "Anthropic API key"),
    ("sk-" + "or-v1-" + "0a1b2c3d" * 8, "OpenRouter API key"),
    ("ghp_" + "aB3dE6" * 6, "GitHub token"),
    ("github_pat_" + "aB3dE6_" * 10, "GitHub token"),
    ("glpat-" + "aB3dE6gH9j" * 2, "GitLab token"),
    (AWS, "AWS access key"),
    ("AIza" + "aB3dE6g" * 5, "Google API key"),
    ("nvapi-" + "aB3dE6gH9j" * 6, "NVIDIA API key"),
    ("r8_" + "aB3dE6gH9j" * 4, "Replicate token"),
    ("gsk_" + "aB3dE6gH9j" * 5, "Groq API key"),
    ("dapi" + "0a1b2c3d" * 4, "Databricks token"),
    ("pypi-AgE" + "aB3dE6gH9j" * 6, "package index token"),
    ("xoxb-" + "1234567890-aBcDeF", "Slack token"),
    ("eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + ".c2lnbmF0dXJl", "JSON Web Token"),
    (KEY, "private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
    ("wandb login " + "0a1b2c3d4e" * 4, "Weights & Biases API key"),
    ("postgresql://app:" + "s3cr3t" + "@db.example/app", "password in a URL"),
    ("https://" + "aB3dE6gH9jaB3dE6gH9j" + "@git.example/x.git", "token in a URL"),
    ("https://files.example/m.bin?X-Amz-Signature=" + "0a1b2c3d" * 8, "signed URL"),
    ("echo 'root:" + "hunter2" + "' | chpasswd", "password"),
    ("curl -u admin:" + "hunter2" + " https://files.example", "password"),
]


HARMLESS_NAMES = """
    TOKENIZERS_PARALLELISM TOKENIZER TOKENIZER_PATH TOKENIZER_NAME MAX_TOKENS MAX_NEW_TOKENS
    OPENAI_MAX_TOKENS NUM_TOKENS TOKEN_LIMIT PAD_TOKEN_ID PAD_TOKEN EOS_TOKEN MODEL_EOS_TOKEN BOS_TOKEN COST_PER_TOKEN
    TIKTOKEN_CACHE_DIR
    HF_HUB_DISABLE_IMPLICIT_TOKEN TS_DISABLE_TOKEN_AUTHORIZATION HF_TOKEN_PATH TOKEN_URL
    KEY_PREFIX API_KEY_HEADER API_KEY_FILE PUBLIC_KEY CACHE_KEY PRIMARY_KEY GPG_KEY KEYCLOAK_URL MONKEY TURKEY KEYWORDS
    SECRET_NAME SECRET_ID POSTGRES_PASSWORD_FILE MYSQL_ALLOW_EMPTY_PASSWORD PASSWORD_MIN_LENGTH PASSENGER COMPASS BYPASS
    PWD OLDPWD AUTHOR AUTH_ENABLED CREDENTIALS_PATH AWS_SHARED_CREDENTIALS_FILE PRIVATE_BLOB_STORE PYTHONHASHSEED
    NEXT_PUBLIC_API_KEY id env
"""
PLACEHOLDERS = """
    $TOKEN ${TOKEN:-x} $(get-token) <your-token> your_api_key YOUR-KEY-HERE xxx XXXXXX *** ...
    changeme change_me_now replace-me dummy_key placeholder EMPTY none not-needed no-key-required {{token}} {token}
    %TOKEN% @TOKEN@ __TOKEN__ /run/secrets/token ./token.txt ~/.token s3://bucket/key 1.2.3 v2.0 true False off
    HF_TOKEN settings.api_key os.environ["TOKEN"]
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HF_TOKEN", "Hugging Face token"),
        ("hf_token", "Hugging Face token"),
        ("hfToken", "Hugging Face token"),
        ("OPENAI_API_KEY", "OpenAI API key"),
        ("AWS_ACCESS_KEY_ID", "AWS access key"),
        ("MY_SERVICE_API_KEY", "API key"),
        ("api-key", "API key"),
        ("apikey", "API key"),
        ("PGPASSWORD", "password"),
        ("DB_PASS", "password"),
        ("MYSQL_PWD", "password"),
        ("DB_PASSWORD_PROD", "password"),
        ("SECRET_KEY_2", "secret key"),
        ("clientSecret", "secret"),
        ("_authToken", "token"),
        ("UV_INDEX_CORP_PASSWORD", "password"),
        ("POETRY_PYPI_TOKEN_CORP", "package index token"),
    ],
)
def test_names_that_hold_a_credential(name, kind):
    assert name_kind(name) == kind
    assert looks_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_names_that_only_look_like_one(name):
    assert not looks_secret_name(name)


@pytest.mark.parametrize(("text", "kind"), BY_FORM)
def test_values_known_by_their_form(text, kind):
    assert secret_value(text) == kind
    assert secret_value(f"RUN {text} # note") == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hf_hub_download",
        "hf_" + "x" * 36,
        "sk-" + "your-openai-key-goes-here-0",
        "sk-learn-contrib-something-longer",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "dapi-server-with-a-long-name",
        "https://wheels.example/whl/cu121",
        "https://<user>:<token>@index.example/simple",
        "https://${USER}:${TOKEN}@index.example/simple",
        "https://user:password@index.example/simple",
        "git+ssh://git@git.example/team/model.git",
        "--hash=sha256:" + "0a1b2c3d" * 8,
        "wandb login $WANDB_API_KEY",
        "echo root:$ROOT_PASSWORD | chpasswd",
        "Authorization: Bearer $HF_TOKEN",
    ],
)
def test_values_that_are_no_credential(text):
    assert secret_value(text) is None
    assert mask(text, keep_width=False) == text


@pytest.mark.parametrize("value", PLACEHOLDERS.split())
def test_values_that_stand_for_another(value):
    assert not is_literal(value)
    assert credential("API_KEY", value) is None


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("HF_TOKEN", "something-real-1", "Hugging Face token"),
        ("MODEL_DIR", HF, "Hugging Face token"),
        ("HF_TOKEN", OPENAI, "API key"),
        ("DB_PASSWORD", "postgres", "password"),
        ("DB_PASSWORD", "1234", "password"),
        ("DB_PASSWORD", "%abc12", "password"),
        ("DB_PASSWORD", "SWORDFISH", "password"),
        ("DB_PASSWORD", "open(sesame", "password"),
        ("AWS_SECRET_ACCESS_KEY", "/aB3dE6gH9jaB3dE6gH9jaB3dE6gH9j/B3dE6g+H", "AWS secret key"),
        ("DATABASE_URL", "mysql://root:" + "hunter2" + "@db/app", "password in a URL"),
        ("API_KEY", "123456", None),
        ("API_KEY", "abc", None),
        ("DB_PASSWORD", "", None),
        ("TOKEN", "token", None),
        ("MODEL", "postgres", None),
        ("MAX_TOKENS", "something-real-1", None),
    ],
)
def test_what_setting_a_name_to_a_value_gives_away(name, value, kind):
    assert credential(name, value) == kind


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"ENV HF_TOKEN={HF}", "ENV HF_TOKEN=***"),
        ("ENV A=1 DB_PASSWORD=hunter2 B=2", "ENV A=1 DB_PASSWORD=*** B=2"),
        ('ENV DB_PASSWORD="two words 2" B=2', 'ENV DB_PASSWORD="***" B=2'),
        ("ENV DB_PASSWORD hunter", "ENV DB_PASSWORD ***"),
        ("  DB_PASSWORD=hunter2 \\", "  DB_PASSWORD=*** \\"),
        ('{"api_key": "abc-def-1", "model": "m"}', '{"api_key": "***", "model": "m"}'),
        (r'echo "{\"api_key\": \"abc-def-1\"}"', r'echo "{\"api_key\": \"***\"}"'),
        ('{"api_key":"abc-def-1"}', '{"api_key":"***"}'),
        ('os.environ["HF_TOKEN"] = "real-thing"', 'os.environ["HF_TOKEN"] = "***"'),
        ("      POSTGRES_PASSWORD: hunter", "      POSTGRES_PASSWORD: ***"),
        ("app --api-key abc-def-1 --port 80", "app --api-key *** --port 80"),
        ('CMD ["app", "--token", "abc-def-1"]', 'CMD ["app", "--token", "***"]'),
        ("export API_KEY=abc-def-1; run", "export API_KEY=***; run"),
        ("RUN (export API_KEY=abcdef1)", "RUN (export API_KEY=***)"),
        ("docker build --build-arg=API_KEY=abc-def-1 .", "docker build --build-arg=API_KEY=*** ."),
        ("https://h.example/f?token=abcdef1", "https://h.example/f?token=***"),
        ("pip install -i https://me:" + "hunter2" + "@index.example", "pip install -i https://me:***@index.example"),
        (
            f"COPY <<EOF /k\n{KEY}\nEOF",
            "COPY <<EOF /k\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nEOF",
        ),
    ],
)
def test_mask(text, masked):
    assert mask(text, keep_width=False) == masked


@pytest.mark.parametrize(
    "text",
    [
        "ENV HF_TOKEN is baked into the image: anyone who pulls it can read it",
        "ENV DB_PASSWORD stays in the image",
        "use --mount=type=secret,id=hf_token,env=HF_TOKEN instead of --build-arg HF_TOKEN",
        "RUN --mount=type=secret,id=hf_token,target=/run/secrets/hf_token pip install -r requirements.txt",
        "ENV TOKENIZERS_PARALLELISM=false MAX_TOKENS=4096 HF_TOKEN=$HF_TOKEN API_KEY=${KEY} WANDB_API_KEY=",
        "ARG GITHUB_TOKEN",
        "client = OpenAI(api_key=os.environ['OPENAI_API_KEY'], token=hub_token, secret=get_secret(project))",
        "python-secret==1.0",
        "token: str",
        "the --token option is missing",
    ],
)
def test_what_mask_leaves_alone(text):
    assert mask(text, keep_width=False) == text


def test_places_are_told_with_their_kind():
    text = f"ENV HF_TOKEN={HF} DB_PASSWORD=hunter2"
    assert secrets(text) == (
        Secret(13, 13 + len(HF), "Hugging Face token"),
        Secret(len(text) - 7, len(text), "password"),
    )


def test_keep_width_keeps_lines_and_columns():
    text = f"COPY <<EOF /k\n{KEY}\nEOF\nENV HF_TOKEN={HF} X=1\n"
    masked = mask(text, keep_width=True)
    assert [len(line) for line in masked.split("\n")] == [len(line) for line in text.split("\n")]
    assert masked.split("\n")[2] == "*" * len(KEY_BODY)
    assert masked.endswith(f"ENV HF_TOKEN={'*' * len(HF)} X=1\n")


PIECES = [
    "HF_TOKEN",
    "api_key",
    "password",
    "=",
    ": ",
    " ",
    '"',
    "'",
    "\n",
    "ENV ",
    "--",
    "://",
    "@",
    ":",
    "$",
    "\\",
    HF,
    "hunter2",
]


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=20).map("".join)))
@settings(max_examples=200)
def test_masking_keeps_every_place_and_finds_nothing_more_the_second_time(text):
    masked = mask(text, keep_width=True)
    assert len(masked) == len(text)
    assert all(new in (old, "*") for old, new in zip(text, masked, strict=True))
    assert mask(masked, keep_width=True) == masked


def test_every_name_of_the_table_holds_a_word_that_the_search_begins_with():
    words = ("TOKEN", "SECRET", "PASS", "PWD", "KEY", "CREDENTIAL", "CONNECTION")
    names = [row["name"] for row in facts.rows("secrets") if row["kind"] == "variable"]
    assert [name for name in names if not any(word in name for word in words)] == []


def test_every_format_is_tried():
    tried = {kind for _, kind in BY_FORM}
    formats = {row["what"] for row in facts.rows("secrets") if row["kind"] == "format"}
    assert formats - tried == {
        "Perplexity API key",
        "LangSmith API key",
        "npm token",
        "Docker Hub token",
        "Slack webhook",
        "Stripe key",
        "authorization header",
    }
