"""A sign-in by Authlib: code flow with PKCE, the ID token through the JWKS, UserInfo, refresh, introspection,
revocation, logout.

Reads its settings from AUTHLIB_CHECK; prints what it learned as JSON; any mismatch ends it with exit 1.
"""

import html
import json
import os
import re
import secrets
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

# The demo is http on loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
settings = json.loads(os.environ["AUTHLIB_CHECK"])


class Browser:
    """Follows redirects within the provider and types into the form it finds."""

    def __init__(self):
        self.http = requests.Session()
        self.http.trust_env = False

    def load(self, method, url, **more):
        while True:
            answer = self.http.request(method, url, allow_redirects=False, **more)
            if answer.status_code != 303:
                return answer.url, answer.text
            url, home = urljoin(answer.url, answer.headers["location"]), urlsplit(answer.url).netloc
            if urlsplit(url).netloc != home:
                # What follows # stays in the browser; no server of the client sees it.
                return url.partition("#")[0], None
            method, more = "GET", {}

    def submit(self, url, page, button, **typed):
        forms = re.findall(r"<form .*?</form>", page, re.DOTALL)
        form = next(form for form in forms if f'name="do" value="{button}"' in form)
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
        fields = {name: html.unescape(value) for name, value in hidden} | typed | {"do": button}
        action = html.unescape(re.search(r'action="([^"]*)"', form).group(1))
        return self.load("POST", urljoin(url, action), data=fields)


metadata = requests.get(f"{settings['issuer']}/.well-known/openid-configuration", timeout=60).json()
assert metadata["issuer"] == settings["issuer"]
client = OAuth2Session(
    settings["client_id"],
    ECKey.import_key(settings["private_key"]) if settings["private_key"] else settings["client_secret"],
    token_endpoint_auth_method=settings["method"],
    revocation_endpoint_auth_method=settings["method"],
    scope="openid email offline_access",
    redirect_uri=settings["redirect_uri"],
    code_challenge_method="S256",
)
client.trust_env = False
if settings["method"] == "private_key_jwt":
    client.register_client_auth_method(PrivateKeyJWT(metadata["token_endpoint"], headers={"kid": "authlib"}, alg="ES256"))

browser = Browser()
verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
request, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
url, page = browser.load("GET", request)
url, page = browser.submit(url, page, "login", email=settings["email"], password=settings["password"])
assert page is None and url.startswith(settings["redirect_uri"]), page
assert parse_qs(urlsplit(url).query)["iss"] == [settings["issuer"]]
token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=url, code_verifier=verifier, state=state
)


def check_id_token(text, expected_nonce, access_token):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=60).json())
    decoded = jwt.decode(text, keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    params = {"nonce": expected_nonce, "client_id": settings["client_id"], "access_token": access_token}
    options = {"iss": {"values": [settings["issuer"]]}, "aud": {"value": settings["client_id"]}}
    claims = CodeIDToken(decoded.claims, decoded.header, options, params)
    claims.validate(leeway=10)
    return claims


claims = check_id_token(token["id_token"], nonce, token["access_token"])
person = client.get(metadata["userinfo_endpoint"]).json()
assert person["sub"] == claims["sub"]

refreshed = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
again = check_id_token(refreshed["id_token"], None, refreshed["access_token"])
assert (again["sub"], again["auth_time"]) == (claims["sub"], claims["auth_time"])

seen = client.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()
assert seen["active"] and seen["sub"] == claims["sub"], seen
client.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"]).raise_for_status()
seen = client.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()
assert seen == {"active": False}, seen

parameters = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": settings["logged_out"], "state": "bye"}
url, page = browser.load("GET", metadata["end_session_endpoint"], params=parameters)
if page is not None:
    url, page = browser.submit(url, page, "logout")
assert page is None and url == settings["logged_out"] + "?state=bye", (url, page)
url, _ = browser.load("GET", request + "&prompt=none")
assert parse_qs(urlsplit(url).query)["error"] == ["login_required"], url

print(json.dumps({"sub": claims["sub"], "email": person["email"], "logged_out": True}))
