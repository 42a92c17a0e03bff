# ruff: noqa: E501  (a pattern reads better whole)
"""What the secrets of providers look like: a prefix that nobody else uses, then a bounded tail.

`(type, pattern)`. A type says whose secret it is. Formats are those that the providers document or that secret
scanners agree on; lengths are loose where providers have changed them. A first group is the secret itself, without
what must stand around it.
"""

from __future__ import annotations

_B64 = r"[A-Za-z0-9+/]"
_WORD = r"[A-Za-z0-9_-]"
_ALNUM = r"[A-Za-z0-9]"
_HEX = r"[a-f0-9]"

PREFIXED: tuple[tuple[str, str], ...] = (
    # models and machine learning
    ("anthropic_key", rf"sk-ant-(?:api|admin|sid|oat|ort)[0-9]{{2}}-{_WORD}{{20,140}}"),
    ("openai_key", rf"sk-(?:proj|svcacct|admin|None)-{_WORD}{{20,200}}"),
    ("openai_key", rf"sk-{_ALNUM}{{20}}T3BlbkFJ{_ALNUM}{{20}}"),
    ("openai_key", rf"sk-{_ALNUM}{{32,64}}"),
    ("openrouter_key", rf"sk-or-v1-{_HEX}{{64}}"),
    ("langfuse_key", rf"sk-lf-{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"),
    ("langsmith_key", rf"lsv2_(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}"),
    ("huggingface_token", r"hf_[A-Za-z0-9]{30,40}"),
    ("huggingface_token", r"api_org_[A-Za-z]{34}"),
    ("replicate_token", rf"r8_{_ALNUM}{{37,40}}"),
    ("groq_key", rf"gsk_{_ALNUM}{{48,56}}"),
    ("xai_key", rf"xai-{_ALNUM}{{70,84}}"),
    ("perplexity_key", rf"pplx-{_ALNUM}{{40,56}}"),
    ("fireworks_key", rf"fw_{_ALNUM}{{22,26}}"),
    ("nvidia_key", rf"nvapi-{_WORD}{{60,70}}"),
    ("tavily_key", rf"tvly-(?:dev-|prod-)?{_ALNUM}{{28,40}}"),
    ("wandb_key", rf"wandb_v1_{_WORD}{{40,90}}"),
    ("pinecone_key", rf"pcsk_{_WORD}{{50,80}}"),
    # clouds
    ("aws_access_key", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}"),
    ("aws_access_key", r"(?:AKIA|ASIA)[A-Z0-9]{16}"),
    ("aws_bedrock_key", rf"ABSK{_B64}{{100,270}}={{0,2}}"),
    ("aws_bedrock_key", r"bedrock-api-key-YmVkcm9jay[A-Za-z0-9+/=]{20,400}"),
    ("google_api_key", rf"AIza{_WORD}{{35}}"),
    ("google_oauth_secret", rf"GOCSPX-{_WORD}{{28}}"),
    ("google_oauth_token", rf"ya29\.{_WORD}{{30,250}}"),
    ("google_refresh_token", rf"1//0{_WORD}{{38,110}}"),
    ("azure_storage_key", rf"(?i:AccountKey|SharedAccessKey)=({_B64}{{43,86}}={{1,2}})"),
    ("azure_sas", r"[?&]sig=([A-Za-z0-9%/+]{43,60}(?:%3[dD]|=))"),
    ("digitalocean_token", rf"do[opr]_v1_{_HEX}{{64}}"),
    ("alibaba_key", r"LTAI[A-Za-z0-9]{17,24}"),
    ("tencent_key", r"AKID[A-Za-z0-9]{32}"),
    ("ibm_key", rf"iam_apikey_{_WORD}{{40,50}}"),
    ("yandex_key", rf"AQVN{_WORD}{{35,38}}"),
    ("yandex_key", rf"t1\.[A-Z0-9a-z_-]{{40,220}}[=]{{0,2}}\.{_WORD}{{86}}[=]{{0,2}}"),
    ("oracle_key", r"ocid1\.credential\.oc1\.[.a-z0-9-]{20,100}"),
    ("cloudflare_key", rf"v1\.0-{_HEX}{{24}}-{_HEX}{{146}}"),
    ("heroku_key", rf"HRKU-{_WORD}{{36,70}}"),
    ("flyio_token", rf"FlyV1 fm[12]_{_B64}{{50,500}}={{0,2}}"),
    ("vercel_token", rf"vc[pkair]_{_ALNUM}{{50,70}}"),
    ("netlify_token", rf"nfp_{_ALNUM}{{36,44}}"),
    ("render_key", rf"rnd_{_ALNUM}{{28,40}}"),
    ("supabase_key", rf"sbp_{_HEX}{{40}}"),
    ("supabase_key", rf"sb_secret_{_WORD}{{28,50}}"),
    ("planetscale_key", rf"pscale_(?:tkn|oauth|pw)_{_WORD}{{32,64}}"),
    ("databricks_token", rf"dapi{_HEX}{{32}}(?:-[0-9])?"),
    ("pulumi_token", rf"pul-{_HEX}{{40}}"),
    ("vault_token", rf"hv[sb]\.{_WORD}{{60,300}}"),
    ("vault_token", rf"hvs\.{_ALNUM}{{24}}"),
    ("doppler_token", rf"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{{2,35}}\.)?{_ALNUM}{{40,44}}"),
    ("onepassword_token", rf"ops_eyJ{_B64}{{200,900}}={{0,3}}"),
    (
        "onepassword_secret_key",
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
    ),
    ("infracost_key", rf"ico-{_ALNUM}{{32}}"),
    ("openshift_token", rf"sha256~{_WORD}{{43}}"),
    ("age_secret_key", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    # code hosts and registries
    ("github_pat", r"github_pat_[A-Za-z0-9_]{36,90}"),
    ("github_token", rf"gh[pousr]_{_ALNUM}{{36,76}}"),
    (
        "gitlab_pat",
        rf"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|oas|soat|ffct)-{_WORD}{{20,70}}(?:\.[a-z0-9.]{{2,40}})?",
    ),
    ("gitlab_token", rf"GR1348941{_WORD}{{20}}"),
    ("bitbucket_token", rf"ATCTT3xFfG{_WORD}{{100,220}}(?:=[A-F0-9]{{8}})?"),
    ("bitbucket_token", rf"ATBB{_ALNUM}{{32}}"),
    ("atlassian_token", rf"ATATT3{_WORD}{{150,250}}(?:=[A-F0-9]{{8}})?"),
    ("npm_token", rf"npm_{_ALNUM}{{36}}"),
    ("pypi_token", rf"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw){_WORD}{{50,250}}"),
    ("rubygems_key", rf"rubygems_{_HEX}{{48}}"),
    ("cargo_token", rf"cio{_ALNUM}{{32}}"),
    ("docker_token", rf"dckr_(?:pat|oat)_{_WORD}{{27,40}}"),
    ("clojars_token", r"CLOJARS_[a-z0-9]{60}"),
    ("artifactory_key", rf"AKCp{_ALNUM}{{69}}"),
    ("artifactory_token", r"cmVmd[A-Za-z0-9]{59}"),
    ("sourcegraph_token", r"sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}"),
    ("sonar_token", rf"sq[uap]_{_HEX}{{40}}"),
    ("buildkite_token", rf"bkua_{_HEX}{{40}}"),
    ("circleci_token", rf"CCIPAT_{_ALNUM}{{20,26}}_{_HEX}{{40}}"),
    ("octopus_key", r"API-[A-Z0-9]{26}"),
    ("postman_key", rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}"),
    ("scalingo_token", rf"tk-us-{_WORD}{{48}}"),
    ("harness_token", rf"(?:pat|sat)\.{_WORD}{{22}}\.{_HEX}{{24}}\.{_ALNUM}{{20}}"),
    # money
    ("stripe_key", rf"(?:sk|rk)_(?:live|test|prod)_{_ALNUM}{{20,110}}"),
    ("stripe_webhook_secret", r"whsec_[A-Za-z0-9+/=]{32,64}"),
    ("square_token", r"EAAA[A-Za-z0-9_-]{60}"),
    ("square_token", rf"sq0(?:atp|csp|idp)-{_WORD}{{22,43}}"),
    ("shopify_token", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("paypal_token", rf"access_token\$production\${_ALNUM}{{16}}\${_HEX}{{32}}"),
    ("flutterwave_key", r"FLWSECK(?:_TEST)?-[a-zA-Z0-9]{12,40}(?:-X)?"),
    (
        "plaid_token",
        rf"access-(?:sandbox|development|production)-{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    ),
    ("razorpay_key", rf"rzp_(?:live|test)_{_ALNUM}{{14,24}}"),
    ("adyen_key", r"AQE[a-z]hm[A-Za-z0-9+/=.*-]{60,220}"),
    ("duffel_token", rf"duffel_(?:test|live)_{_WORD}{{43}}"),
    ("easypost_token", rf"EZ[AT]K{_ALNUM}{{54}}"),
    # talk and mail
    ("slack_token", r"xox[abeoprs]-[A-Za-z0-9-]{24,250}"),
    ("slack_token", r"xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{10,14}-[a-z0-9]{40,80}"),
    ("slack_token", r"xoxe\.(?:xox[bp]-)?[0-9]-[A-Za-z0-9]{100,180}"),
    (
        "slack_webhook",
        r"(?:https?://)?hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{36,80}",
    ),
    ("twilio_key", rf"SK{_HEX}{{32}}"),
    ("sendgrid_key", rf"SG\.{_WORD}{{20,24}}\.{_WORD}{{39,50}}"),
    ("mailgun_key", rf"key-{_HEX}{{32}}"),
    ("brevo_key", rf"xkeysib-{_HEX}{{64}}-{_ALNUM}{{16}}"),
    ("resend_key", rf"re_{_ALNUM}{{8}}_{_ALNUM}{{24}}"),
    (
        "postmark_key",
        rf"(?i:X-Postmark-Server-Token)[\"']?\s?[:=]\s?[\"']?({_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}})",
    ),
    ("intra42_secret", rf"s-s4t2(?:ud|af)-{_HEX}{{64}}"),
    # observation
    ("grafana_token", rf"gl(?:sa|c)_[A-Za-z0-9+/=]{{32,400}}(?:_{_HEX}{{8}})?"),
    ("grafana_key", rf"eyJrIjoi{_B64}{{60,400}}={{0,3}}"),
    ("newrelic_key", r"NR(?:AK|II|JS|RA)-[A-Za-z0-9_-]{19,32}"),
    ("datadog_key", rf"ddap[pi]_{_ALNUM}{{32,40}}"),
    ("sentry_token", r"sntry[su]_[A-Za-z0-9+/=_]{60,400}"),
    ("dynatrace_token", r"dt0[cs][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("posthog_key", rf"ph[xs]_{_ALNUM}{{36,60}}"),
    ("prefect_key", rf"pn[ub]_{_ALNUM}{{36}}"),
    ("logfire_token", rf"pylf_v[0-9]_[a-z]{{2}}_{_ALNUM}{{36,50}}"),
    # work
    ("notion_token", rf"ntn_[0-9]{{9,12}}{_ALNUM}{{33,38}}"),
    ("notion_token", rf"secret_{_ALNUM}{{43}}"),
    ("linear_key", rf"lin_(?:api|oauth)_{_ALNUM}{{40,64}}"),
    ("airtable_token", rf"pat{_ALNUM}{{14}}\.{_HEX}{{64}}"),
    ("figma_token", rf"fig[dor][hur]?_{_WORD}{{38,50}}"),
    ("dropbox_token", rf"sl\.(?:u\.)?{_WORD}{{130,300}}"),
    ("hubspot_token", rf"pat-(?:na|eu)[0-9]-{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"),
    ("contentful_token", rf"CFPAT-{_WORD}{{40,46}}"),
    ("typeform_token", r"tfp_[A-Za-z0-9_.=-]{40,60}"),
    ("readme_key", r"rdme_[a-z0-9]{70}"),
    ("frameio_token", r"fio-u-[A-Za-z0-9_=-]{64}"),
    ("algolia_key", rf"(?i:algolia)[a-z0-9_. -]{{0,30}}[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?({_HEX}{{32}})"),
    ("shippo_token", rf"shippo_(?:live|test)_{_HEX}{{40}}"),
    ("mapbox_token", rf"sk\.eyJ{_WORD}{{50,120}}\.{_WORD}{{20,30}}"),
    ("facebook_token", rf"EAA[MC]{_ALNUM}{{80,300}}"),
    ("twitter_token", r"AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9%]{70,110}"),
    # Only the beginning; `secrets` looks for the end.
    (
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\\\?r|\\\\?n|[\"'+,]){0,40}[A-Za-z0-9+/=-]{4,80}",
    ),
    ("private_key", r"PuTTY-User-Key-File-[23]: [a-z0-9-]{3,30}"),
    ("jwt", rf"eyJ{_WORD}{{8,500}}\.eyJ{_WORD}{{8,1000}}\.{_WORD}{{20,700}}"),
    ("gcp_service_account", r"\"type\"\s{0,4}:\s{0,4}\"service_account\""),
)

# The mark stands in the middle: (type, mark, how many bytes may stand before it, pattern).
MARKED: tuple[tuple[str, str, int, str], ...] = (
    ("azure_client_secret", r"[0-9]Q~", 3, r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    ("azure_devops_token", r"AZDO", 76, rf"{_ALNUM}{{76}}AZDO{_ALNUM}{{4}}"),
    ("terraform_token", r"\.atlasv1\.", 14, rf"{_ALNUM}{{14}}\.atlasv1\.{_WORD}{{60,70}}"),
    (
        "teams_webhook",
        r"\.webhook\.office\.com/",
        68,
        rf"https://[a-z0-9-]{{1,60}}\.webhook\.office\.com/webhookb2/[a-z0-9@-]{{60,90}}/IncomingWebhook/{_HEX}{{32}}/[a-z0-9-]{{36}}",
    ),
    (
        "discord_webhook",
        r"discord(?:app)?\.com/api/webhooks/",
        15,
        rf"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/[0-9]{{17,20}}/{_WORD}{{60,72}}",
    ),
    ("mailchimp_key", r"[a-f0-9]-us[0-9]", 32, rf"{_HEX}{{32}}-us[0-9]{{1,2}}"),
    ("maxmind_key", r"_mmk", 36, rf"{_ALNUM}{{6}}_{_ALNUM}{{29}}_mmk"),
    (
        "discord_token",
        r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
        28,
        rf"[MNO][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\.{_WORD}{{27,40}}",
    ),
    ("telegram_bot_token", r":AA", 10, rf"[0-9]{{8,10}}:AA{_WORD}{{32,34}}"),
    (
        "facebook_token",
        r"[0-9](?:\||%7[cC])[A-Za-z0-9_-]{27}",
        16,
        rf"[0-9]{{15,16}}(?:\||%7[cC]){_WORD}{{27,40}}",
    ),
    (
        "basic_auth_url",
        r"[^\s@/\"'<>]@[A-Za-z0-9\[]",
        200,
        r"https?://([^\s:/@\"'<>]{1,64}:[^\s@/\"'<>]{3,120})@[A-Za-z0-9\[]",
    ),
    (
        "db_url_password",
        r"[^\s@/\"'<>]@[A-Za-z0-9\[]",
        216,
        r"\b(?:[a-gi-z][a-z0-9+.-]{1,24}|h[a-su-z][a-z0-9+.-]{0,23})://[^\s:/@\"'<>]{0,64}:([^\s@/\"'<>]{3,120})@[A-Za-z0-9\[]",
    ),
)

# What is a secret by where it stands.
PLACED: tuple[tuple[str, str], ...] = (
    (
        "authorization_header",
        r"(?i)authorization[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:basic|bearer|token|apikey|bot)\s{1,3}([A-Za-z0-9+/=_.~!@#%^&*?$-]{8,400})",
    ),
    (
        "authorization_header",
        r"(?i)\bx-(?:api-key|auth-token|access-token|vault-token|gitlab-token|rapidapi-key)[\"']?\s{0,2}[:= ]\s{0,2}[\"']?([A-Za-z0-9+/=_.~!@#%^&*?$-]{8,400})",
    ),
    (
        "curl_password",
        r"\bcurl\b(?:[^\n|;]|\\\n){0,300}?\s(?:-u|--user)[ =]{0,3}[\"']?([^\s:\"'$<]{0,80}[\"']?:[\"']?[^\s\"'$<]{3,120})",
    ),
)
