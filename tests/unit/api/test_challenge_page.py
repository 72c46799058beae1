"""The page on which a cardholder says yes, no or nothing."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from fastpay import limits
from fastpay.api import challenge_html
from fastpay.api.challenges import with_result
from tests.unit.api.fakes import OTHER, PUBLISHABLE, Api

SHOP = "https://shop.example/back?order=7#thanks"
QUOTED = SHOP.replace("#", "%23")
ASKED = "amount=1999&currency=usd&payment_method=pm_card_authenticationRequired"


@pytest.fixture
def api() -> Api:
    return Api()


def begin(api: Api, form: str = "") -> dict[str, Any]:
    """Confirm a payment that needs its cardholder, and return it."""
    return api.post("/v1/payment_intents", f"{ASKED}&confirm=true&return_url={QUOTED}{form}")


def page_of(intent: dict[str, Any]) -> str:
    """Return the path of the page."""
    action = intent["next_action"]
    assert action["type"] == "redirect_to_url"
    assert action["redirect_to_url"]["return_url"] == SHOP
    scheme, host, path, *_ = urlsplit(str(action["redirect_to_url"]["url"]))
    assert (scheme, host) == ("http", "fastpay")
    return path


def answer(api: Api, page: str, outcome: str, **sent: Any) -> httpx.Response:
    return api.send("POST", page, f"outcome={outcome}", key=None, **sent)


def returned(api: Api, intent: dict[str, Any], response: httpx.Response) -> tuple[str, str]:
    """Check the way back, and return what it says and what the payment is."""
    assert response.status_code == 303
    url = urlsplit(response.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}#{url.fragment}" == "https://shop.example/back#thanks"
    query = parse_qsl(url.query)
    assert query[:3] == [
        ("order", "7"),
        ("payment_intent", intent["id"]),
        ("payment_intent_client_secret", intent["client_secret"]),
    ]
    ((name, told),) = query[3:]
    assert name == "redirect_status"
    return told, api.get(f"/v1/payment_intents/{intent['id']}")["status"]


def test_the_page_says_what_is_paid_and_by_which_card(api: Api) -> None:
    page = api.send("GET", page_of(begin(api)), key=None)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("19.99 USD", "Visa ending in 3184", "Test mode", '<html lang="en">'):
        assert text in page.text


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("succeeded", ("succeeded", "succeeded")),
        ("failed", ("failed", "requires_payment_method")),
        ("pending", ("pending", "requires_action")),
    ],
)
def test_each_answer_leads_back_with_its_result(api: Api, outcome: str, expected: tuple[str, str]) -> None:
    intent = begin(api)
    assert returned(api, intent, answer(api, page_of(intent), outcome)) == expected


def test_a_refusal_fails_with_the_code_of_the_dialect(api: Api) -> None:
    intent = begin(api)
    answer(api, page_of(intent), "failed")
    shown = api.get(f"/v1/payment_intents/{intent['id']}")
    assert shown["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert shown["next_action"] is None


def test_a_second_answer_changes_nothing_and_leads_back_too(api: Api) -> None:
    intent = begin(api)
    page = page_of(intent)
    answer(api, page, "succeeded")
    assert returned(api, intent, answer(api, page, "failed")) == ("succeeded", "succeeded")
    assert returned(api, intent, api.send("GET", page, key=None)) == ("succeeded", "succeeded")


def test_a_payment_that_its_merchant_confirms_by_hand_leads_back_to_be_confirmed(api: Api) -> None:
    intent = begin(api, "&confirmation_method=manual")
    page = page_of(intent)
    for outcome in ("succeeded", "failed"):
        expected = ("succeeded", "requires_confirmation")
        assert returned(api, intent, answer(api, page, outcome)) == expected
    path = f"/v1/payment_intents/{intent['id']}"
    assert api.post(f"{path}/confirm", "")["status"] == "succeeded"
    other = begin(api, "&confirmation_method=manual")
    answer(api, page_of(other), "succeeded")
    api.post(f"/v1/payment_intents/{other['id']}", "amount=5")
    assert answer(api, page_of(other), "succeeded").status_code == 404


def test_the_page_of_an_earlier_attempt_answers_nothing(api: Api) -> None:
    intent = begin(api)
    again = api.post(f"/v1/payment_intents/{intent['id']}/confirm", f"return_url={QUOTED}")
    assert page_of(intent) != page_of(again)
    for page in (answer(api, page_of(intent), "succeeded"), api.send("GET", page_of(intent), key=None)):
        assert page.status_code == 404
    assert api.get(f"/v1/payment_intents/{intent['id']}")["status"] == "requires_action"
    api.post(f"/v1/payment_intents/{intent['id']}", "amount=5")
    assert answer(api, page_of(again), "succeeded").status_code == 404


def test_a_page_put_together_of_two_answers_nothing(api: Api) -> None:
    one, other = page_of(begin(api)), page_of(begin(api))
    mixed = f"{one.rpartition('/')[0]}/{other.rpartition('/')[2]}"
    stranger = api.post("/v1/payment_intents", f"{ASKED}&confirm=true&return_url={QUOTED}", key=OTHER)
    foreign = f"{one.rpartition('/')[0]}/{stranger['id']}"
    for page in (mixed, foreign, one.rpartition("/")[0] + "/pi_nobody", one + "/", one.replace("pi_", "ch_")):
        for response in (api.send("GET", page, key=None), answer(api, page, "succeeded")):
            assert response.status_code == 404, page


def test_a_card_that_declines_after_the_authentication_leads_back_as_failed(api: Api) -> None:
    form = ASKED.replace("authenticationRequired", "threeDSecureRequiredChargeDeclined")
    intent = api.post("/v1/payment_intents", f"{form}&confirm=true&return_url={QUOTED}")
    back = answer(api, page_of(intent), "succeeded")
    assert returned(api, intent, back) == ("failed", "requires_payment_method")
    shown = api.get(f"/v1/payment_intents/{intent['id']}")
    assert shown["last_payment_error"]["code"] == "card_declined"


def test_the_url_begins_where_the_setting_says() -> None:
    api = Api(public_url="https://shop.example/payments")
    url: str = begin(api)["next_action"]["redirect_to_url"]["url"]
    assert url.startswith("https://shop.example/payments/authenticate/")


def test_a_page_expires(api: Api) -> None:
    page = page_of(begin(api))
    api.clock.moment_ms += limits.challenge_valid_s * 1000
    assert api.send("GET", page, key=None).status_code == 200
    api.clock.moment_ms += 1000
    assert api.send("GET", page, key=None).status_code == 404
    assert answer(api, page, "succeeded").status_code == 404


def test_a_client_that_shows_the_challenge_itself_gets_no_page(api: Api) -> None:
    own = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    assert begin(api, "&use_stripe_sdk=true")["next_action"] == own
    assert api.post("/v1/payment_intents", f"{ASKED}&confirm=true")["next_action"] == own


def test_a_browser_with_a_publishable_key_is_redirected_as_well(api: Api) -> None:
    made = api.post("/v1/payment_intents", ASKED)
    form = f"client_secret={made['client_secret']}&return_url={QUOTED}"
    headers = {"origin": "https://shop.example"}
    intent = api.post(f"/v1/payment_intents/{made['id']}/confirm", form, key=PUBLISHABLE, headers=headers)
    assert returned(api, made, answer(api, page_of(intent), "succeeded")) == ("succeeded", "succeeded")


@pytest.mark.parametrize(
    ("outcome", "told", "status"),
    [
        ("succeeded", "succeeded", "succeeded"),
        ("failed", "failed", "requires_payment_method"),
        ("pending", "pending", "requires_action"),
    ],
)
def test_a_card_is_saved_through_the_same_page(api: Api, outcome: str, told: str, status: str) -> None:
    form = f"confirm=true&payment_method=pm_card_authenticationRequired&return_url={QUOTED}"
    intent = api.post("/v1/setup_intents", form)
    page = page_of(intent)
    assert "Confirm the use of your card" in api.send("GET", page, key=None).text
    query = dict(parse_qsl(urlsplit(answer(api, page, outcome).headers["location"]).query))
    assert query == {
        "order": "7",
        "setup_intent": intent["id"],
        "setup_intent_client_secret": intent["client_secret"],
        "redirect_status": told,
    }
    assert api.get(f"/v1/setup_intents/{intent['id']}")["status"] == status


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "shop.example/back",
        "//shop.example",
        "https://",
        "https:///back",
        "https://shop.example/a b",
        "https://shop.example/%0d%0aa\r\nb",
        "https://shop.example/ä",
        "https://shop.example:x/",
        "https://[::1/",
        'https://shop.example/"><script>',
        "data:text/html,x",
        "ftp://shop.example/",
    ],
)
def test_a_return_url_must_be_one_that_a_browser_can_go_to(api: Api, url: str) -> None:
    created = {"amount": 5, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    made = api.post("/v1/payment_intents", ASKED)
    more: dict[str, Any]
    for path, more in (("", created), (f"/{made['id']}/confirm", {})):
        error = api.refused("POST", f"/v1/payment_intents{path}", json={"return_url": url} | more)
        assert (error["status"], error["code"], error["param"]) == (400, "url_invalid", "return_url")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?x=1"),
        ("https://a.example/?", "https://a.example/?x=1"),
        ("https://a.example/?b=2&", "https://a.example/?b=2&x=1"),
        ("https://a.example/?b=%20#c?d", "https://a.example/?b=%20&x=1#c?d"),
        ("https://a.example/#/route?e=f", "https://a.example/?x=1#/route?e=f"),
    ],
)
def test_a_result_goes_behind_the_query_and_before_the_fragment(url: str, expected: str) -> None:
    assert with_result(url, {"x": "1"}) == expected


def test_every_answer_forbids_scripts_frames_referrers_and_caches(api: Api) -> None:
    page = page_of(begin(api))
    answers = [
        api.send("GET", page, key=None),
        answer(api, page, "pending"),
        answer(api, page, "maybe"),
        answer(api, page, "succeeded", headers={"sec-fetch-site": "cross-site"}),
        answer(api, page, "succeeded&a=" + "b" * limits.challenge_body_bytes_max),
        api.send("GET", "/authenticate/invented/pi_1", key=None),
        api.send("DELETE", page, key=None),
    ]
    assert [one.status_code for one in answers] == [200, 303, 400, 403, 413, 404, 405]
    for one in answers:
        assert (
            dict(challenge_html.HEADERS).items()
            <= {name.lower(): value for name, value in one.headers.raw}.items()
        )
        assert "set-cookie" not in one.headers
        assert not any(name.startswith("access-control") for name in one.headers)
        assert "<script" not in one.text
    policy = answers[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_the_head_of_a_page_is_that_of_the_page(api: Api) -> None:
    page = page_of(begin(api))
    head, whole = (api.send(method, page, key=None) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_the_text_can_be_read_on_its_background() -> None:
    """The contrast of WCAG 2.2, 1.4.3 and 1.4.11, of each pair of colours that stand on each other."""
    style = challenge_html._STYLE
    pairs = [("#1a1a1a", "#fff"), ("#4d3800", "#fff3cd"), ("#fff", "#0b3d91"), ("#0b3d91", "#fff")]
    assert {colour for pair in pairs for colour in pair} <= set(re.findall(r"#[0-9a-f]{3,6}", style))
    assert min(contrast(*pair) for pair in pairs) >= 4.5
    assert contrast("#b35900", "#fff") >= 3


def contrast(one: str, other: str) -> float:
    """Return the ratio. Source: WCAG 2.2, "contrast ratio"."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
